"""A reviewer: an older teacher must confirm what the teacher says."""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...registry import HOOKS
from ...teacher_student.average import move
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import LOW
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import match_boxes
from ...validation import check_choice, check_range
from ..step_hook import StepHook

Unconfirmed = Literal["ignore", "drop"]


@HOOKS.register_module()
class ReviewerHook(StepHook):
    """Pseudo labels count where a slow copy of the teacher says the same.

    Inspired by Teacher-Reviewer-Student (2025), whose rule of updates we could not read: the
    reviewer keeps what the teacher knew earlier, against mistakes that teacher and student repeat
    to each other. It labels the weak views, too, which costs a second pass of the teacher; in
    memory and in checkpoints it takes as much as the teacher.

    Args:
        interval: Iterations between two updates of the reviewer.
        momentum: Share of the reviewer that an update keeps: 0 makes it a snapshot of the teacher,
            0.9999 with an interval of 1 a slow average.
        iou: Lowest IoU with a box of the reviewer of the same class.
        unconfirmed: Boxes that it does not confirm are regions to "ignore", or are background
            ("drop"). Pixels get the weight 0.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), ReviewerHook())
        >>> step.log["reviewer/confirmed"]  # it is a copy of the teacher still
        tensor(1.)
    """

    phase = Phase.WEIGHT
    needs_twin = True

    def __init__(
        self,
        *,
        interval: int = 2000,
        momentum: float = 0.0,
        iou: float = 0.6,
        unconfirmed: Unconfirmed = "ignore",
    ) -> None:
        name = type(self).__name__
        check_range(name, "interval", interval, 1, float("inf"))
        check_range(name, "momentum", momentum)
        check_range(name, "iou", iou)
        check_choice(name, "unconfirmed", unconfirmed, Unconfirmed)
        self.interval, self.momentum = interval, momentum
        self.iou, self.unconfirmed = iou, unconfirmed
        self.reviewer: nn.Module | None = None
        self._state: dict[str, Any] = {}

    def before_teacher(self, step: Step) -> None:
        """Update the reviewer; in its first step it is a copy of the teacher."""
        teacher, since = step.model.teacher, step.iteration - step.model.burn_in
        if since < 0 or step.weak is None:
            return
        fresh = self.reviewer is None and not self._state
        if self.reviewer is None:
            self.reviewer = copy.deepcopy(teacher).requires_grad_(False).eval()
        if self._state:  # of a run that goes on
            self.reviewer.load_state_dict(self._state)
            self._state = {}
        if not fresh and since % self.interval == 0:
            move(self.reviewer.state_dict(), teacher.state_dict(), self.momentum)

    def after_teacher(self, step: Step) -> None:
        """Ask the reviewer."""
        model = step.model
        found = model.label(step.weak_views, self.reviewer, ())
        if isinstance(step.pseudo, PixelLabels):
            same = (step.pseudo.labels == found.labels) & found.valid
            step.pseudo.weights = step.pseudo.weights * same
            valid = step.pseudo.valid
            step.count("reviewer/confirmed", (same & valid).sum() / valid.sum().clamp(min=1))
            return
        images = len(step.pseudo_boxes)
        for image, others in enumerate(found):
            boxes = step.pseudo_boxes[image]
            confirmed = self._confirmed(boxes, others)
            step.count("reviewer/confirmed", confirmed.float().mean().nan_to_num(1.0) / images)
            if self.unconfirmed == "drop":
                step.drop(image, ~confirmed, "reviewer")
            else:
                boxes.level = torch.where(confirmed, boxes.value("level"), LOW)

    def _confirmed(self, boxes: Any, others: Any) -> Tensor:
        labels = (boxes.labels, others.labels)
        rows, _ = match_boxes(boxes.bboxes, others.bboxes, labels, self.iou)
        confirmed = torch.zeros_like(boxes.labels, dtype=torch.bool)
        confirmed[rows] = True
        return confirmed

    def state_dict(self) -> dict[str, Any]:
        """The reviewer."""
        return dict(self._state) if self.reviewer is None else dict(self.reviewer.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the reviewer, now or when it is made."""
        self._state = dict(state)
        if self.reviewer is not None:
            self.reviewer.load_state_dict(self._state)
            self._state = {}
