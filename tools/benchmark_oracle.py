"""The true labels as pseudo labels, for `benchmark_labels.py --oracle`.

What a method reaches with labels that are never wrong is its bound. If it stays below "all labels",
the path from the weak to the strong view loses something, or the mixing costs more than it brings.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config, ConfigDict

from ssdet.exits import UsageError
from ssdet.hooks import StepHook
from ssdet.labels import IGNORE
from ssdet.registry import DATASETS, HOOKS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import PseudoBoxes, bitmaps
from ssdet.teacher_student.step import PixelLabels, Step

LOADERS = ("LoadAnnotations", "LoadEmptyAnnotations")


@HOOKS.register_module()
class OracleHook(StepHook):
    """Label the weak view with its annotations, each box or pixel with the score 1."""

    phase = Phase.LABEL

    def after_teacher(self, step: Step) -> None:
        """Replace what the teacher has said."""
        if isinstance(step.pseudo, PixelLabels):
            self._pixels(step)
            return
        for number, sample in enumerate(step.weak_views.samples):
            truth, found = sample.gt_instances, step.pseudo_boxes[number]
            # Every field that the teacher's boxes have, with the value of an annotated box.
            true = PseudoBoxes.of(truth)
            fields = {name: true.value(name) for name, _ in found.items() if name not in true}
            if "masks" in true:
                fields["masks"] = torch.as_tensor(bitmaps(true.masks).masks).bool()
            step.pseudo_boxes[number] = PseudoBoxes.of(true, **fields)

    @staticmethod
    def _pixels(step: Step) -> None:
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


@DATASETS.register_module()
class ListedImages(CocoDataset):
    """The images that one COCO file lists, with their annotations from another one."""

    def __init__(self, *args: Any, listed: str, **options: Any) -> None:
        self.listed = listed
        super().__init__(*args, **options)

    def filter_data(self) -> list[dict[str, Any]]:
        """Leave out what is not listed."""
        listed = json.loads(Path(self.data_root, self.listed).read_text(encoding="utf-8"))
        names = {image["file_name"] for image in listed["images"]}
        return [one for one in self.data_list if Path(one["img_path"]).name in names]


def with_truth(config: Config) -> Config:
    """A training whose unlabeled images come with their annotations, and are labeled by these.

    The list of unlabeled images has no boxes: a protocol for detectors names the file that has
    them in its variable `all_labels`.
    """
    config = copy.deepcopy(config)
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    truth = copy.deepcopy(labeled)
    truth.pipeline = unlabeled.pipeline
    views = next(step for step in truth.pipeline if step["type"] == "WeakStrongViews")
    loader: dict[str, Any] = dict(type="LoadAnnotations")
    if "segmentor" in config.model:
        truth.ann_file = unlabeled.source
    elif "all_labels" not in config:
        raise UsageError(
            f"--oracle: {config.filename} has no variable `all_labels`, the file with the boxes of "
            "all training images"
        )
    else:
        truth.update(type="ListedImages", ann_file=config.all_labels, listed=unlabeled.source)
        masks = any(step.get("with_mask") for step in _steps(labeled))
        loader.update(with_bbox=True, with_mask=masks)
    shared = [step for step in views["shared"] if step["type"] not in LOADERS]
    views["shared"] = [shared[0], loader, *shared[1:]]  # behind the image
    config.train_dataloader.dataset.datasets[1] = truth
    config.custom_hooks.append(dict(type="OracleHook"))
    config.custom_imports = dict(imports=["ssdet", "benchmark_oracle"])
    return config


def _steps(source: ConfigDict) -> list[ConfigDict]:
    """The transforms of a source that makes views."""
    views = next(step for step in source.pipeline if step["type"] == "WeakStrongViews")
    return [*views["shared"], *(step for view in views["views"].values() for step in view)]
