"""Soft objectness: a detector with an objectness learns the teacher's, not that it is 1."""

from __future__ import annotations

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import objectness_only
from ..step_hook import StepHook


@HOOKS.register_module()
class SoftObjectnessHook(StepHook):
    """The teacher's objectness of a pseudo box is the target of the student's, for YOLOX.

    The points of an annotated box learn the objectness 1. Those of a pseudo box of which the
    teacher is unsure learn how sure it is, as the uncertain boxes of Efficient Teacher do (Xu et
    al., 2023).

    Args:
        certain: Boxes with at least this score keep the target 1; 1.0: (almost) none does.

    Examples:
        >>> from ssdet.testing import box_step
        >>> step = box_step([0.9, 0.5])
        >>> step.pseudo[0].objectness = step.pseudo[0].scores + 0.05
        >>> SoftObjectnessHook(certain=0.8).after_teacher(step)
        >>> step.pseudo[0].soft_objectness
        tensor([1.0000, 0.5500])
    """

    phase = Phase.WEIGHT
    needs = frozenset({"objectness"})

    def __init__(self, *, certain: float = 1.0) -> None:
        check_range(type(self).__name__, "certain", certain)
        self.certain = certain

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without an objectness to learn."""
        super().on_attach(objectness_only(self, model, "changes what an objectness learns"))

    def after_teacher(self, step: Step) -> None:
        """Give each box its target."""
        for boxes in step.pseudo_boxes:
            unsure = boxes.scores < self.certain
            boxes.soft_objectness = boxes.value("objectness").where(unsure, 1.0)
