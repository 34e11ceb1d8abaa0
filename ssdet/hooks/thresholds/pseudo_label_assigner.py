"""Efficient Teacher's thresholds: of uncertain boxes YOLOX learns their objectness alone."""

from __future__ import annotations

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import objectness_only
from ..step_hook import StepHook

TINY = 1e-6


@HOOKS.register_module()
class PseudoLabelAssignerHook(StepHook):
    """Two thresholds; between them the teacher's objectness is the target of the objectness.

    The pseudo label assigner of Efficient Teacher (Xu et al., 2023), for YOLOX. A box whose score
    (class times objectness) reaches `high` is learned as a label. One from `low` on is neither an
    object nor background: the priors that are assigned to it learn the teacher's objectness.
    Where that is nearly certain, they learn the box too, and with `cls` a nearly certain class.
    (`SoftObjectnessHook` changes the objectness alone, and what is learned beside it stays.)

    A prior that a reliable and an uncertain box want belongs to one of them, by YOLOX's own
    assignment; in the authors' code the uncertain one wins.

    Args:
        low, high: Least score of an uncertain box and of a label.
        sure: From this objectness on the place of an uncertain box is learned, and from this
            probability of its class the class.
        box, cls: Whether they are.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(PseudoLabelAssignerHook())
        Traceback (most recent call last):
        TypeError: PseudoLabelAssignerHook: a RetinaNet has no objectness as YOLOX has, ...
    """

    phase = Phase.FILTER
    needs = frozenset({"objectness"})
    selects_labels = True

    def __init__(
        self,
        low: float = 0.1,
        high: float = 0.6,
        *,
        sure: float = 0.99,
        box: bool = True,
        cls: bool = False,
    ) -> None:
        name = type(self).__name__
        check_range(name, "low", low)
        check_range(name, "high", high, low, 1)
        check_range(name, "sure", sure)
        self.low, self.high, self.sure, self.box, self.cls = low, high, sure, box, cls

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without an objectness that is learned."""
        super().on_attach(objectness_only(self, model, "teaches objectness"))

    def after_teacher(self, step: Step) -> None:
        """Drop the lowest boxes; say what the others are learned for."""
        for image in range(len(step.pseudo_boxes)):
            step.drop(image, step.pseudo_boxes[image].scores < self.low, "score")
            boxes = step.pseudo_boxes[image]
            unsure = boxes.scores < self.high
            objectness = boxes.value("objectness")
            classes = boxes.scores / objectness.clamp(min=TINY)
            boxes.soft_objectness = objectness.where(unsure, 1.0)
            boxes.classified = ~unsure | ((classes >= self.sure) & self.cls)
            located = ~unsure | ((objectness >= self.sure) & self.box)
            boxes.weight_box = boxes.weight_box * located
            step.count("objectness/soft", unsure.sum() / len(step.pseudo_boxes))
