"""Checks that a hook is attached to the right kind of model, before the first step."""

from __future__ import annotations

from typing import Any, TypeVar

from mmdet.models.dense_heads import YOLOXHead

from ...teacher_student.core import TeacherStudent
from ...teacher_student.detector import TeacherStudentDetector
from ...teacher_student.foreign import inner
from ...teacher_student.heads import last_decode_head
from ...teacher_student.pixel_weights import matches_masks
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.weights.dense import YOLOXTargets
from ..step_hook import StepHook

Kind = TypeVar("Kind", bound=TeacherStudent)


def segmentor_only(
    hook: StepHook, model: TeacherStudent, does: str, *, instead: str = ""
) -> TeacherStudentSegmentor:
    """The model, if it labels pixels; `does` ("weights pixels") is why the hook needs one."""
    return _only(TeacherStudentSegmentor, hook, model, does, instead)


def logits_only(hook: StepHook, model: TeacherStudent, does: str) -> TeacherStudentSegmentor:
    """The model, if its last head gives logits of pixels."""
    found = segmentor_only(hook, model, does)
    head = last_decode_head(found.student)
    if matches_masks(head):
        raise TypeError(
            f"{type(hook).__name__}: {does}, but {type(head).__name__} gives masks of queries and "
            "no logits of pixels. Take the hook out of custom_hooks, or use another decode head."
        )
    return found


def projects_pixels(hook: StepHook, model: TeacherStudent, head: str) -> TeacherStudentSegmentor:
    """The model, if it is a segmentor with a `PixelProjector` of this name."""
    found = segmentor_only(hook, model, "contrasts pixels")
    if head not in found.auxiliary:
        raise ValueError(
            f"{type(hook).__name__}: auxiliary of the model has no {head!r}. Set auxiliary=dict("
            f"{head}=dict(type='PixelProjector', in_channels=...))."
        )
    return found


def honors_weights(hook: StepHook, model: TeacherStudentSegmentor) -> None:
    """Refuse a segmentor none of whose losses supports weights of pixels."""
    weights = model.pixel_weights[model.student]
    if not weights.supports_weights:
        raise TypeError(
            f"{type(hook).__name__}: weights single pixels, but no loss of this "
            f"{type(model.student).__name__} supports that: {', '.join(weights.weightless)}. Take "
            "the hook out of custom_hooks, or use a head with a loss of pixels (CrossEntropyLoss, "
            "DiceLoss, FocalLoss)."
        )


def detector_only(hook: StepHook, model: TeacherStudent, does: str) -> TeacherStudentDetector:
    """The model, if it finds boxes."""
    return _only(TeacherStudentDetector, hook, model, does, "")


def objectness_only(hook: StepHook, model: TeacherStudent, does: str) -> TeacherStudentDetector:
    """The model, if the teacher has an objectness and the student learns one."""
    found = detector_only(hook, model, does)
    teacher: Any = inner(found.teacher)
    for network, kind in ((found.student, YOLOXTargets), (teacher, YOLOXHead)):
        if not isinstance(getattr(network, "bbox_head", None), kind):
            raise TypeError(
                f"{type(hook).__name__}: a {type(network).__name__} has no objectness as YOLOX "
                "has, which student and teacher need. Take the hook out of custom_hooks, or use "
                "a threshold (DualThresholdHook has two)."
            )
    return found


def _only(kind: type[Kind], hook: StepHook, model: TeacherStudent, does: str, instead: str) -> Kind:
    if not isinstance(model, kind):
        raise TypeError(
            f"{type(hook).__name__}: {does} and works with a {kind.__name__}, not with a "
            f"{type(model).__name__}. Take it out of custom_hooks{instead}."
        )
    return model
