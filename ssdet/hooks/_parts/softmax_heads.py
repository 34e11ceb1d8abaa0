"""Checks of box heads whose classification a hook weights proposal by proposal."""

from __future__ import annotations

from typing import Any

from ...teacher_student.heads import box_heads, check_roi_heads
from ...teacher_student.weights.losses import QueuedLoss
from ...teacher_student.weights.sparse import BBoxTargets


def check_softmax_heads(name: str, model: Any, does: str, cannot: str) -> None:
    """Refuse detectors without RoI heads, and classifications that are no weighted softmax.

    Args:
        name: Of the hook.
        model: The pair.
        does: What the hook does: "weights negative proposals".
        cannot: What another head cannot: "be weighted by a probability of background".
    """
    check_roi_heads(name, model, does)
    for head in box_heads(model.student.roi_head):
        weighted = isinstance(head, BBoxTargets) and isinstance(head.loss_cls, QueuedLoss)
        if not weighted or getattr(head.loss_cls, "use_sigmoid", False):
            raise TypeError(
                f"{name}: {type(head).__name__} with {type(head.loss_cls).__name__} cannot "
                f"{cannot}; a box head with a softmax over the classes and the background can "
                "(CrossEntropyLoss, SoftmaxFocalLoss)."
            )
