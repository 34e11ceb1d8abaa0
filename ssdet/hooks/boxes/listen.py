"""Listening: a side of a box is learned where the teacher is surer of it than the student."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor

from ...models.uncertain_fcos import Listening, UncertainFCOSHead
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import between
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

CLOSE = 1e-6


@HOOKS.register_module()
class ListenHook(StepHook):
    """Two sets of pseudo boxes, and a box loss of those sides alone that the teacher knows better.

    Unbiased Teacher v2 (Liu et al., CVPR 2022), for a detector with an `UncertainFCOSHead`. The
    classes learn from boxes that are ranked (and suppressed) by their class probability; the
    boxes from those ranked by the geometric mean of it and the certainty. A threshold
    (`FixedThresholdHook`) selects in both sets. Of a box, the student learns a side where the
    teacher is surer than itself by more than `margin`, and surer than `certainty`, by L1 in
    strides; certainty is 1 - deviation.

    Args:
        margin: How much surer the teacher has to be.
        certainty: How sure the teacher has to be at least.
        weight: Of the loss, beside the weight of all unsupervised losses.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(ListenHook())
        Traceback (most recent call last):
        TypeError: ListenHook: needs a head that says how sure it is of each side ...
    """

    phase = Phase.WEIGHT
    needs_twin = True

    def __init__(self, *, margin: float = 0.1, certainty: float = 0.8, weight: float = 1.0) -> None:
        name = type(self).__name__
        check_range(name, "margin", margin)
        check_range(name, "certainty", certainty)
        check_range(name, "weight", weight, 0, float("inf"))
        self.rule = Listening(margin, certainty, weight)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse other heads; tell the student's what it listens to."""
        student: Any = detector_only(self, model, "chooses sides of boxes").student
        head = getattr(student, "bbox_head", None)
        if not isinstance(head, UncertainFCOSHead):
            raise TypeError(
                f"{type(self).__name__}: needs a head that says how sure it is of each side of a "
                f"box, and a {type(student).__name__} with a {type(head).__name__} does not. Use "
                "detector.bbox_head.type='UncertainFCOSHead' (configs/unbiased_teacher_v2)."
            )
        head.listening = self.rule
        super().on_attach(model)

    @contextmanager
    def teacher_pass(self, step: Step) -> Iterator[None]:
        """The teacher gives two sets of boxes."""
        teacher: Any = step.model.teacher
        teacher.bbox_head.rankings = {"cls": "cls", "box": "cls_certainty"}
        try:
            yield
        finally:
            teacher.bbox_head.rankings = None

    def before_student(self, step: Step) -> None:
        """In a mirrored view, the sides of a box change places."""
        for name, views in step.strong.items():
            pairs = zip(step.weak_views.samples, views.samples, step.targets[name], strict=True)
            for weak, strong, sample in pairs:
                boxes = sample.gt_instances
                if "side_logits" in boxes:
                    boxes.side_logits = sides_between(boxes.side_logits, between(weak, strong))

    def after_loss(self, step: Step) -> None:
        """Log the share of sides that were learned."""
        head: Any = step.model.student.bbox_head
        if head.heard is not None:
            chosen, every = head.heard
            step.count("listen/share", chosen / every)
            head.heard = None


def sides_between(logits: Tensor, matrix: np.ndarray) -> Tensor:
    """Deviations (N, 4) of left, top, right and bottom in the frame that a homography leads to.

    A mirrored box has other sides; in a rotated or sheared one each side depends on all four
    corners, and is as unsure as the most unsure one.
    """
    scale = abs(matrix[0, 0]) + abs(matrix[1, 1])
    if max(abs(matrix[0, 1]), abs(matrix[1, 0])) > CLOSE * scale:
        return logits.amax(-1, keepdim=True).expand_as(logits)
    order = [0, 1, 2, 3]
    if matrix[0, 0] < 0:
        order[0], order[2] = order[2], order[0]
    if matrix[1, 1] < 0:
        order[1], order[3] = order[3], order[1]
    return logits[:, order]
