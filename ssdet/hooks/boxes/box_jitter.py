"""Box jitter: boxes that the teacher finds again from nearby are targets of the box regression."""

from __future__ import annotations

import torch

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import check_roi_heads, refined_boxes
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step
from ...teacher_student.task_sets import check_task_sets
from ...thresholds.box_quality import jitter_boxes, relative_spread
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class BoxJitterHook(StepHook):
    """Move each pseudo box a little, let the teacher's RoI head correct it, and see if it returns.

    Soft Teacher (Xu et al. 2021): a high class score does not mean that the box is well
    placed. Boxes whose corrected copies spread by `max_spread` or more leave the set of the
    box regression (and of the masks); the classification is unchanged. A cascade corrects a box in
    all of its stages. The boxes get the field `spread`. For one-stage
    detectors there is `BoxSpreadHook`, for DETRs `LayerAgreementHook`.

    Args:
        times: Copies of each box, at least 2.
        scale: Deviation of the (normal) moves of each coordinate, in widths or heights of the box.
        max_spread: Mean deviation of the corrected coordinates, in widths or heights of their mean
            box, from which on a box is no target of the regression.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(BoxJitterHook())  # a RetinaNet has no RoI head
        Traceback (most recent call last):
        TypeError: BoxJitterHook: lets the teacher's RoI head correct boxes and works with ...
    """

    phase = Phase.WEIGHT
    needs_twin = True

    def __init__(self, times: int = 10, *, scale: float = 0.06, max_spread: float = 0.02) -> None:
        name = type(self).__name__
        check_range(name, "times", times, 2, float("inf"))
        check_range(name, "scale", scale, 0, float("inf"))
        check_range(name, "max_spread", max_spread, 0, float("inf"))
        self.times, self.scale, self.max_spread = times, scale, max_spread

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads."""
        check_roi_heads(type(self).__name__, model, "lets the teacher's RoI head correct boxes")
        check_task_sets(type(self).__name__, model.student, "box")
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Remove unstable boxes from the sets of the box regression."""
        spreads = self._spreads(step)
        for boxes, spread in zip(step.pseudo_boxes, spreads, strict=True):
            mark_spread(boxes, spread, self.max_spread)
        log_spread(step, "box_jitter", spreads)

    def _spreads(self, step: Step) -> list[torch.Tensor]:
        found = step.pseudo_boxes
        moved = [jitter_boxes(boxes.bboxes, self.times, self.scale) for boxes in found]
        corrected = refined_boxes(
            step.model.teacher.roi_head,
            step.teacher_features,
            [copies.flatten(0, 1) for copies in moved],
            [boxes.labels.repeat(self.times) for boxes in found],
            step.weak_views.samples,
        )
        return [relative_spread(stages[-1].view(self.times, -1, 4)) for stages in corrected]


def mark_spread(boxes: PseudoBoxes, spread: torch.Tensor, limit: float) -> None:
    """Record the spread of the boxes of an image; at the limit they leave the set "box"."""
    boxes.spread = spread
    boxes.exclude_from_task("box", ~(spread < limit))


def log_spread(step: Step, name: str, spreads: list[torch.Tensor]) -> None:
    """Log how many boxes are still targets of the regression, and the median spread."""
    boxes = step.pseudo_boxes
    step.count(f"{name}/kept", sum(b.in_box.sum() for b in boxes) / len(boxes))
    spread = torch.cat(spreads)
    finite = spread[spread.isfinite()]
    if len(finite):
        step.count(f"{name}/median", finite.median())
