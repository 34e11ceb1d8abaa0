"""Sets of boxes that differ between the tasks of a detector.

In Soft Teacher a box below the threshold of the classification is background there, and yet may be
a target of the regression. So a box belongs to a set for each task: the bool fields `in_rpn`,
`in_cls` and `in_box` (N,) of the boxes; masks follow `in_box`. Where a field is missing, all boxes
belong. A set is not a weight: what is outside of a set does not exist for that task, and is
background; a box of weight 0 is neither object nor background.

Hooks exclude boxes (`PseudoBoxes.exclude_from_task`) in every image of every step, so that all
processes run the same code.
With any of the fields, losses are split by task: in a two-stage detector the RPN learns its set,
and proposals are assigned and sampled once for the classification and once more for boxes and
masks; in a one-stage detector the heads run once and their losses are taken for each set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.utils import unpack_gt_instances
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .pseudo_boxes import TASKS, PseudoBoxes, Task
from .weights.boxes import WeighedDetector, with_box_weights
from .weights.sparse import scored_negatives

# A loss of a dense or a RoI head belongs to the classification if its name has one of these. A head
# may name its own, `classification`.
CLASSIFICATION = ("cls", "obj", "acc")


def as_weights(boxes: PseudoBoxes) -> PseudoBoxes:
    """The same boxes without sets, for losses that have one set for all tasks.

    A box that is outside of the set of a task has weight 0 in it. RPN and classification share a
    weight: a box that either of them does not learn has weight 0 in both.
    """
    boxes = boxes.new()
    for task in TASKS:
        if f"in_{task}" in boxes:
            weight = "weight_box" if task == "box" else "weight_cls"
            boxes[weight] = boxes[weight] * boxes.pop(f"in_{task}")
    return boxes


def has_task_subsets(samples: list[Any]) -> bool:
    """Whether any task has a set of its own."""
    return any(f"in_{task}" in sample.gt_instances for sample in samples for task in TASKS)


def members(samples: list[Any], task: Task) -> list[Any]:
    """The samples with those boxes alone that belong to the set of a task."""
    chosen = []
    for sample in samples:
        boxes = sample.gt_instances
        mask = boxes.get(f"in_{task}")
        sample = sample.new()
        if mask is not None:
            boxes, _ = PseudoBoxes.of(boxes).split(mask)
        sample.gt_instances = boxes.new()
        chosen.append(sample)
    return chosen


def check_task_sets(owner: str, detector: nn.Module, *tasks: Task) -> None:
    """Raise a TypeError, in the name of a hook, for a detector whose losses cannot be split."""
    if _two_stages(detector):
        return
    if not _one_stage(detector):
        raise TypeError(
            f"{owner}: needs different sets of boxes for the tasks, but the losses of a "
            f"{type(detector).__name__} cannot be split by task (those of two-stage detectors "
            "with an RPN and of dense one-stage detectors can): use one set for all tasks."
        )
    if "rpn" in tasks:
        raise TypeError(
            f"{owner}: a {type(detector).__name__} has no RPN: leave out the setting for it."
        )


def task_losses(detector: Any, inputs: Tensor, sets: dict[Task, list[Any]]) -> dict[str, Any]:
    """Losses of a detector, each from the samples of its own task."""
    check_task_sets("task_losses", detector)
    sets = {task: with_box_weights(samples) for task, samples in sets.items()}
    features = detector.extract_feat(inputs)
    compute = _two_stage_losses if _two_stages(detector) else _one_stage_losses
    return compute(detector, features, sets)


def _two_stage_losses(detector: Any, features: Any, sets: dict[Task, list[Any]]) -> dict[str, Any]:
    losses, proposals = _rpn_losses(detector, features, sets["rpn"])
    cls = detector.roi_head.loss(features, _copies(proposals), sets["cls"])
    with scored_negatives(detector.roi_head, None):
        box = detector.roi_head.loss(features, _copies(proposals), sets["box"])
    return {**losses, **_parts(cls, True), **_parts(box, False)}


def _rpn_losses(
    detector: Any, features: Any, samples: list[Any]
) -> tuple[dict[str, Any], list[InstanceData]]:
    samples = [_without_classes(sample) for sample in samples]
    losses, proposals = detector.rpn_head.loss_and_predict(
        features,
        samples,
        proposal_cfg=detector.train_cfg.get("rpn_proposal", detector.test_cfg.rpn),
    )
    named = {k if "rpn" in k or "loss" not in k else f"rpn_{k}": v for k, v in losses.items()}
    return named, proposals


def _without_classes(sample: Any) -> Any:
    sample = sample.new()
    sample.gt_instances = sample.gt_instances.new()
    sample.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
    return sample


def _one_stage_losses(detector: Any, features: Any, sets: dict[Task, list[Any]]) -> dict[str, Any]:
    head = detector.bbox_head
    outputs = head(features)

    def losses(task: Task) -> dict[str, Any]:
        boxes, ignored, metas = unpack_gt_instances(sets[task])
        return head.loss_by_feat(*outputs, boxes, metas, ignored)

    words = getattr(head, "classification", CLASSIFICATION)
    return {**_parts(losses("cls"), True, words), **_parts(losses("box"), False, words)}


def _parts(
    losses: dict[str, Any], classification: bool, words: Sequence[str] = CLASSIFICATION
) -> dict[str, Any]:
    return {
        name: value
        for name, value in losses.items()
        if any(word in name for word in words) == classification
    }


def _copies(proposals: list[InstanceData]) -> list[InstanceData]:
    # RoI heads rename a field of the proposals that they are handed.
    return [each.new() for each in proposals]


def _two_stages(detector: Any) -> bool:
    inherited = isinstance(detector, TwoStageDetector) and _owner(detector) is TwoStageDetector
    return inherited and detector.with_rpn and detector.with_roi_head


def _one_stage(detector: Any) -> bool:
    if not isinstance(detector, SingleStageDetector) or _owner(detector) is not SingleStageDetector:
        return False
    head = detector.bbox_head
    return isinstance(head, BaseDenseHead) and _owner(head) is BaseDenseHead


def _owner(module: nn.Module) -> type | None:
    """The class of MMDetection whose `loss` a detector or a head has."""
    kinds = (kind for kind in type(module).__mro__ if kind is not WeighedDetector)
    return next((kind for kind in kinds if "loss" in vars(kind)), None)
