"""The true labels as pseudo labels of a segmentor, for `benchmark_labels.py --oracle`.

What a method reaches with labels that are never wrong is its bound. If it stays below "all labels",
the path from the weak to the strong view loses something, or the mixing costs more than it brings.
"""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config

from ssdet.exits import UsageError
from ssdet.hooks import StepHook
from ssdet.labels import IGNORE
from ssdet.registry import HOOKS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import Step


@HOOKS.register_module()
class OracleHook(StepHook):
    """Label the weak view with its annotations, each pixel with the score 1."""

    phase = Phase.LABEL

    def after_teacher(self, step: Step) -> None:
        """Replace labels, scores and, where a hook needs them, probabilities."""
        pseudo = step.pseudo_pixels
        labels = torch.full_like(pseudo.labels, IGNORE)
        for own, sample in zip(labels, step.weak_views.samples, strict=True):
            truth = sample.gt_sem_seg.data[0]
            own[: truth.shape[0], : truth.shape[1]] = truth
        pseudo.valid = pseudo.valid & (labels != IGNORE)
        pseudo.labels, pseudo.scores = labels, pseudo.valid.to(pseudo.scores.dtype)
        if pseudo.soft is not None:
            kinds = torch.arange(pseudo.soft.shape[1], device=labels.device)
            pseudo.soft = (labels[:, None] == kinds[:, None, None]).to(pseudo.soft.dtype)


def with_truth(config: Config) -> Config:
    """A training whose unlabeled images come with their annotations, and are labeled by these."""
    if "segmentor" not in config.model:
        raise UsageError("--oracle: it knows the true labels of segmentors only")
    config = copy.deepcopy(config)
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    truth = copy.deepcopy(labeled)
    truth.ann_file, truth.pipeline = unlabeled.source, unlabeled.pipeline
    views = next(step for step in truth.pipeline if step["type"] == "WeakStrongViews")
    views["shared"].insert(1, dict(type="LoadAnnotations"))  # behind the image
    config.train_dataloader.dataset.datasets[1] = truth
    config.custom_hooks.append(dict(type="OracleHook"))
    config.custom_imports = dict(imports=["ssdet", "benchmark_oracle"])
    return config
