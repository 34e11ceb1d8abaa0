"""Annotated boxes are assigned before pseudo boxes."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules import AssignResult, BaseAssigner
from mmengine.structures import InstanceData

from ..registry import TASK_UTILS
from ..teacher_student.pseudo_boxes import Source


@TASK_UTILS.register_module()
class AnnotatedFirstAssigner(BaseAssigner):
    """Any assigner, applied to annotated boxes first, and to pseudo boxes with what is left over.

    MarvelOVD's stratified assignment (ECCV 2024): a pseudo box beside an annotated one never takes
    a prior or proposal that the annotation can have, even where it overlaps it more. Of images
    that have boxes of one kind only, the result is that of the plain assigner.

    Args:
        assigner: Config of the assigner, such as that of `train_cfg.rcnn.assigner`.
    """

    def __init__(self, assigner: dict[str, Any]) -> None:
        self.base = TASK_UTILS.build({"_scope_": "mmdet", **assigner})

    def assign(
        self, pred_instances: InstanceData, gt_instances: InstanceData, *args: Any, **kwargs: Any
    ) -> AssignResult:
        """As in the base class."""
        source = gt_instances.get("source")
        annotated = None if source is None else source == Source.ANNOTATION
        if annotated is None or annotated.all() or not annotated.any():
            return self.base.assign(pred_instances, gt_instances, *args, **kwargs)
        first, second = (
            self.base.assign(pred_instances, gt_instances[chosen], *args, **kwargs)
            for chosen in (annotated, ~annotated)
        )
        taken = first.gt_inds > 0
        later = ~taken & (second.gt_inds > 0)
        inds = torch.minimum(first.gt_inds, second.gt_inds).clamp(max=0)  # -1: ignored by either
        for result, chosen, where in ((first, annotated, taken), (second, ~annotated, later)):
            numbers = chosen.nonzero().flatten() + 1
            inds[where] = numbers[result.gt_inds[where] - 1]
        labels = torch.where(later, second.labels, first.labels)
        overlaps = torch.where(later, second.max_overlaps, first.max_overlaps)
        return AssignResult(len(gt_instances), inds, overlaps, labels)
