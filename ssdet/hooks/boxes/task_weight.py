"""Task weights: how much the tasks of a detector learn from pseudo boxes."""

from __future__ import annotations

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook


@HOOKS.register_module()
class TaskWeightHook(StepHook):
    """Multiply the weights of all pseudo boxes: `box=0` trains on what is there, but not where.

    Unbiased Teacher (Liu et al. 2021) takes no box loss from pseudo boxes, since the class score
    does not measure the location.

    Args:
        cls: Factor on the classification (objectness included) of what is assigned to a box.
        box: Factor on its other losses: boxes (of the RPN too), IoU, centerness, masks.

    Examples:
        >>> from ssdet.testing import box_step
        >>> step = box_step([0.9])
        >>> TaskWeightHook(cls=1.0, box=0.0).after_teacher(step)  # learn what, not where
        >>> step.pseudo[0].weight_cls, step.pseudo[0].weight_box
        (tensor([1.]), tensor([0.]))
    """

    phase = Phase.WEIGHT

    def __init__(self, *, cls: float = 1.0, box: float = 1.0) -> None:
        check_range(type(self).__name__, "cls", cls, 0, float("inf"))
        check_range(type(self).__name__, "box", box, 0, float("inf"))
        self.cls, self.box = cls, box

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors."""
        super().on_attach(detector_only(self, model, "weights pseudo boxes"))

    def after_teacher(self, step: Step) -> None:
        """Multiply."""
        for boxes in step.pseudo_boxes:
            boxes.weight_cls = boxes.weight_cls * self.cls
            boxes.weight_box = boxes.weight_box * self.box
