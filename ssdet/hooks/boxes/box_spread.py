"""Box spread: Soft Teacher's box jitter for detectors that cannot correct a given box."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...teacher_student.task_sets import check_task_sets
from ...thresholds.box_quality import merged_spread
from ...validation import check_range
from ..step_hook import StepHook
from .box_jitter import log_spread, mark_spread


@HOOKS.register_module()
class BoxSpreadHook(StepHook):
    """Only boxes that many predictions agree on are targets of the box regression.

    The counterpart of `BoxJitterHook` for one-stage detectors (not of a paper): a dense head
    predicts each object many times, from neighboring points and anchors, and NMS keeps one of
    them. How far the others of its class scatter around it shows how well it is placed. The
    teacher's head runs once more for this, on the same features.

    Args:
        max_spread: Score-weighted deviation of the merged coordinates, in widths or heights of
            their mean box, from which on a box is no target of the regression. A box that nothing
            was merged into is none either.
        min_iou: Overlap from which on a prediction counts as merged.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), BoxSpreadHook(max_spread=0.05))
        >>> step.pseudo[0].in_box.dtype, step.pseudo[0].spread.shape  # for each box
        (torch.bool, torch.Size([5]))
    """

    phase = Phase.WEIGHT
    needs_twin = True

    def __init__(self, max_spread: float = 0.05, *, min_iou: float = 0.6) -> None:
        name = type(self).__name__
        check_range(name, "max_spread", max_spread, 0, float("inf"))
        check_range(name, "min_iou", min_iou)
        self.max_spread, self.min_iou = max_spread, min_iou

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse heads that cannot give their boxes without NMS."""
        name = type(self).__name__
        head: Any = getattr(model.student, "bbox_head", None)
        predict = getattr(head, "predict_by_feat", None)
        if predict is None or "with_nms" not in inspect.signature(predict).parameters:
            raise TypeError(
                f"{name}: compares boxes before NMS and works with dense one-stage detectors, not "
                f"with a {type(model.student).__name__}. For two-stage detectors use BoxJitterHook."
            )
        check_task_sets(name, model.student, "box")
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Remove unstable boxes from the sets of the box regression."""
        spreads = []
        for boxes, raw in zip(step.pseudo_boxes, self._raw(step), strict=True):
            spread = merged_spread(
                boxes.bboxes,
                get_box_tensor(raw.bboxes).float(),
                raw.scores.float(),
                boxes.labels[:, None] == raw.labels,
                self.min_iou,
            )
            mark_spread(boxes, spread, self.max_spread)
            spreads.append(spread)
        log_spread(step, "box_spread", spreads)

    @staticmethod
    def _raw(step: Step) -> list[Any]:
        """The teacher's boxes before NMS."""
        head: Any = step.model.teacher.bbox_head
        metas = [sample.metainfo for sample in step.weak_views.samples]
        found: list[Any] = head.predict_by_feat(
            *head(step.teacher_features), batch_img_metas=metas, rescale=False, with_nms=False
        )
        return [raw[_finite(raw)] for raw in found]


def _finite(raw: Any) -> Tensor:
    return torch.isfinite(get_box_tensor(raw.bboxes)).all(-1) & raw.scores.isfinite()
