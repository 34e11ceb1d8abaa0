"""Efficient Teacher's thresholds: of uncertain boxes a detector learns that something is there."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step
from ...teacher_student.weights.dense import RTMDetTargets
from ...validation import check_range
from .._parts.model_kind import detector_only, objectness_only
from ..step_hook import StepHook

TINY = 1e-6


@HOOKS.register_module()
class PseudoLabelAssignerHook(StepHook):
    """Two thresholds; between them the teacher's own certainty is what the student learns.

    The pseudo label assigner of Efficient Teacher (Xu et al., 2023), for YOLOX and RTMDet. A box
    whose score reaches `high` is learned as a label. One from `low` on is neither an object nor
    background:

    * YOLOX (score = class times objectness): the priors that are assigned to it learn the teacher's
      objectness and no class. Where that is nearly certain, they learn the box too, and with `cls`
      a nearly certain class. (`SoftObjectnessHook` changes the objectness alone, and what is
      learned beside it stays.)
    * RTMDet has no objectness: they learn the teacher's score for the class of the box, and nothing
      about other classes. What the paper says of objectness is said of this score.

    A prior that a reliable and an uncertain box want belongs to one of them, by the detector's own
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
        self.by_class = False  # the class is what is learned softly, as there is no objectness

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without an objectness that is learned, but for RTMDet."""
        student: Any = detector_only(self, model, "teaches objectness").student
        self.by_class = isinstance(getattr(student, "bbox_head", None), RTMDetTargets)
        if not self.by_class:
            objectness_only(self, model, "teaches objectness")
        super().on_attach(model)

    def limits(self, boxes: PseudoBoxes) -> tuple[Tensor | float, Tensor | float]:
        """The least score of an uncertain box and of a label, for each of these boxes."""
        return self.low, self.high

    def after_teacher(self, step: Step) -> None:
        """Drop the lowest boxes; say what the others are learned for."""
        for image in range(len(step.pseudo_boxes)):
            low, _ = self.limits(step.pseudo_boxes[image])
            step.drop(image, step.pseudo_boxes[image].scores < low, "score")
            boxes = step.pseudo_boxes[image]
            _, high = self.limits(boxes)
            unsure = boxes.scores < high
            there = classes = boxes.scores
            if not self.by_class:
                there = boxes.value("objectness")
                classes = boxes.scores / there.clamp(min=TINY)
                boxes.soft_objectness = there.where(unsure, 1.0)
            boxes.classified = ~unsure | ((classes >= self.sure) & self.cls)
            located = ~unsure | ((there >= self.sure) & self.box)
            boxes.weight_box = boxes.weight_box * located
            name = "class/soft" if self.by_class else "objectness/soft"
            step.count(name, unsure.sum() / len(step.pseudo_boxes))
