"""The runs that a semi-supervised training is compared with, made from its config.

A baseline learns from the labeled images alone. A control goes through the whole semi-supervised
training, with the labeled images in the place of the unlabeled ones: what it gains, the method
gains without one new image.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ..exits import UsageError
from ..registry import DATASETS, HOOKS
from ..teacher_student.hook_points import HookPoints
from ..total_batch import shares

AVERAGE = {"type": "TeacherEMAHook", "momentum": 0.999}
# They average the weights of the whole model, too; two averages at once are an error.
OTHER_AVERAGES = ("MeanTeacherHook", "EMAHook")


def baseline_config(config: Any) -> Any:
    """The same model, labels, seed and number of iterations, without the unlabeled images.

    Hooks of the teacher-student step and auxiliary networks are left out. The average of the
    weights stays, as a "teacher" that labels nothing; the better of both is compared.
    """
    _check(config, "--baseline")
    config = copy.deepcopy(config)
    loader = config.train_dataloader
    labeled, every = _count(loader.dataset), shares(loader)
    loader.dataset.datasets = loader.dataset.datasets[:labeled]
    loader.batch_size = sum(every[:labeled])
    for key in ("source_ratio", "batch_size"):
        loader.sampler.pop(key, None)
    loader.sampler.batch = every[:labeled]
    if config.get("total_batch"):
        config.total_batch = tuple(config.total_batch)[:labeled]
    base = (config.get("auto_scale_lr") or {}).get("base_batch_size")
    if base:  # it was meant for all images of an iteration
        config.auto_scale_lr.base_batch_size = round(base * loader.batch_size / sum(every))
    config.model.burn_in = 0
    for key in ("auxiliary", "auxiliary_teachers"):
        config.model.pop(key, None)
    config.custom_hooks = _without_steps(config.get("custom_hooks") or [])
    config.compared_as = "baseline"
    return config


def control_config(config: Any) -> Any:
    """The same training with the labeled images, without their labels, as the unlabeled ones."""
    _check(config, "--control")
    config = copy.deepcopy(config)
    dataset = config.train_dataloader.dataset
    number = _count(dataset)
    labeled, unlabeled = dataset.datasets[:number], dataset.datasets[number:]
    for source in (*labeled, *unlabeled):
        if "pipeline" not in source:
            raise UsageError(
                f"--control: a source of the training data is a {source.get('type')!r}, whose "
                "images cannot be given to another pipeline. Allowed: data sets with a pipeline of "
                "their own, such as CocoDataset. Leave --control out, or list its parts in datasets"
            )
    dataset.datasets = [*labeled, *(_as_unlabeled(labeled, one["pipeline"]) for one in unlabeled)]
    dataset.labeled = number
    config.compared_as = "control"
    return config


def _as_unlabeled(labeled: Sequence[Any], pipeline: Any) -> Any:
    """The images of the labeled sources, as the pipeline of the unlabeled ones loads them."""
    copies = [{**copy.deepcopy(source), "pipeline": copy.deepcopy(pipeline)} for source in labeled]
    return copies[0] if len(copies) == 1 else {"type": "ConcatDataset", "datasets": copies}


def _check(config: Any, option: str) -> None:
    """Refuse what has no unlabeled images, or hides them."""
    kind = str((config.get("model") or {}).get("type"))
    if not kind.startswith("TeacherStudent"):
        raise UsageError(
            f"{option}: model.type is {kind!r}, which learns from labels alone: there is nothing "
            "to compare. Give the config of a semi-supervised training (`ssdet init` writes one)"
        )
    loader = config.get("train_dataloader") or {}
    dataset = loader.get("dataset") or {}
    if dataset.get("type") != "LabeledUnlabeledDataset" or not shares(loader):
        raise UsageError(
            f"{option}: train_dataloader.dataset is a {dataset.get('type')!r}, and its sampler a "
            f"{(loader.get('sampler') or {}).get('type')!r}. Allowed: LabeledUnlabeledDataset with "
            "LabeledUnlabeledSampler, which say which images are labeled. Train a baseline with a "
            "config of its own, and compare with `ssdet report`"
        )
    if len(dataset.get("datasets") or ()) <= _count(dataset):
        raise UsageError(
            f"{option}: the config has labeled images only: there is nothing to compare. Give the "
            "config of the semi-supervised training"
        )


def _count(dataset: Any) -> int:
    """How many of the sources are labeled: those that say they are, up to the first that is not."""
    limit = int(dataset.get("labeled", 1))
    kinds = [DATASETS.get(str(source.get("type"))) for source in dataset["datasets"][:limit]]
    return next(
        (n for n, kind in enumerate(kinds) if getattr(kind, "unlabeled", None) is True), limit
    )


def _without_steps(hooks: Sequence[Any]) -> list[Any]:
    """Hooks that take no part in a teacher-student step, and the average of the weights."""
    kept, average = [], dict(AVERAGE)
    for hook in hooks:
        kind = HOOKS.get(str(hook.get("type"))) if isinstance(hook, dict) else type(hook)
        if kind is not None and issubclass(kind, HookPoints):
            if getattr(kind, "averages_weights", False) and "momentum" in hook:
                average["momentum"] = hook["momentum"]
        else:
            kept.append(hook)
    if any(hook.get("type") in OTHER_AVERAGES for hook in kept if isinstance(hook, dict)):
        return kept
    return [*kept, {**average, "schedule": "mean"}]
