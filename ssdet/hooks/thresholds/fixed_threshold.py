"""Fixed thresholds: which of the teacher's labels the student is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.pseudo_boxes import Task
from ...teacher_student.step import Step
from ...teacher_student.task_sets import check_task_sets
from ...validation import check_range
from .threshold_hook import Limits, ThresholdHook

PerClass: TypeAlias = "float | Sequence[float] | Mapping[int, float]"


@HOOKS.register_module()
class FixedThresholdHook(ThresholdHook):
    """Keep confident labels of the teacher: a threshold on the score, for boxes and for pixels.

    A box is kept if its score is *above* the threshold (as in MMDetection), a pixel if it is *at
    or above* it (as in FixMatch). A pixel that is not kept has the weight 0 and still counts in
    the mean of the loss.

    Args:
        score: Threshold in [0, 1]: one number, one for each class, or a dict of class to number
            (other classes: 0).
        ignore: Boxes with a score above this one but not above `score` become ignore regions: no
            loss is taken from them. None: they are dropped, and are background. (A pixel
            that is not kept is never background.)
        rpn, cls, box: Stricter thresholds for single tasks: the RPN (objectness and its boxes), the
            classification, the box regression with the masks. A kept box whose score is not above
            is not in the task's set; in the classification it is background. These are sets, not
            weights; see `ssdet.teacher_student.task_sets`.

    Examples:
        >>> from ssdet.testing import box_step
        >>> step = box_step([0.9, 0.4, 0.2])
        >>> FixedThresholdHook(score=0.5, ignore=0.3).after_teacher(step)
        >>> step.pseudo[0].scores, step.pseudo[0].level  # 2: trained on; 0: a region to ignore
        (tensor([0.9000, 0.4000]), tensor([2, 0]))
        >>> FixedThresholdHook(score=1.3)
        Traceback (most recent call last):
        ValueError: FixedThresholdHook: score=1.3 is not in [0, 1]
    """

    uncertain_as = "ignore"
    log_limits = False  # they are in the config

    def __init__(
        self,
        score: PerClass = 0.9,
        *,
        ignore: float | None = None,
        rpn: float | None = None,
        cls: float | None = None,
        box: float | None = None,
    ) -> None:
        name = type(self).__name__
        for value in _numbers(score):
            check_range(name, "score", value)
        for key, limit in dict(ignore=ignore, rpn=rpn, cls=cls, box=box).items():
            if limit is not None:
                check_range(name, key, limit)
        self.score, self.ignore = score, ignore
        tasks: dict[Task, float | None] = {"rpn": rpn, "cls": cls, "box": box}
        self.tasks = {task: limit for task, limit in tasks.items() if limit is not None}
        self._refuse_idle()

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a list that is too short for the classes of the model."""
        super().on_attach(model)
        if self.tasks:
            check_task_sets(type(self).__name__, model.student, *self.tasks)
        self.limits(self.num_classes or 0, torch.device("cpu"))

    def _refuse_idle(self) -> None:
        """Refuse settings that have no effect beside the threshold on the score."""
        name, scores = type(self).__name__, _numbers(self.score)
        if isinstance(self.score, Mapping):
            scores.append(0.0)  # of the other classes
        if self.ignore is not None and self.ignore >= max(scores, default=1.0):
            raise ValueError(
                f"{name}: ignore={self.ignore} is not below score={self.score!r}: no box lies "
                "between them. Boxes above ignore and not above score become regions to ignore."
            )
        for task, limit in self.tasks.items():
            if limit < min(scores, default=0.0):
                raise ValueError(
                    f"{name}: {task}={limit} is below score={self.score!r}, which drops these "
                    f"boxes for all tasks. Lower score to what the most lenient task needs, or "
                    f"leave {task} out."
                )

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The thresholds as they were given."""
        lower = None if self.ignore is None else torch.full((classes,), self.ignore, device=device)
        if isinstance(self.score, (int, float)):
            return Limits(torch.full((classes,), float(self.score), device=device), lower)
        if isinstance(self.score, Mapping):
            values = [float(self.score.get(index, 0.0)) for index in range(classes)]
        else:
            # A class beyond the end of the list must not pass without a threshold.
            if classes > len(self.score):
                raise ValueError(
                    f"{type(self).__name__}: score={self.score!r} has {len(self.score)} "
                    f"thresholds, but the highest class is {classes - 1}: give one for each class, "
                    "or a dict"
                )
            values = [float(value) for value in self.score[:classes]]
        return Limits(torch.tensor(values, device=device), lower)

    def filter_boxes(self, step: Step, image: int, limits: Limits) -> None:
        """Filter, after the stricter thresholds of the tasks."""
        boxes = step.pseudo_boxes[image]
        for task, limit in self.tasks.items():
            boxes.exclude_from_task(task, boxes.scores <= limit)
        super().filter_boxes(step, image, limits)


def _numbers(score: PerClass) -> list[float]:
    """All thresholds that were given."""
    if isinstance(score, Mapping):
        return list(score.values())
    return [score] if isinstance(score, (int, float)) else list(score)
