"""What a student's prediction for a pseudo box says about how to learn it (SemiETS)."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_distance(boxes: Tensor, others: Tensor) -> Tensor:
    """Distance (N,) of the centers of boxes (N, 4), in diagonals of the box around both: [0, 1)."""
    center, other = ((one[:, :2] + one[:, 2:]) / 2 for one in (boxes, others))
    low = torch.minimum(boxes[:, :2], others[:, :2])
    high = torch.maximum(boxes[:, 2:], others[:, 2:])
    diagonal = (high - low).norm(dim=1).clamp(min=1e-6)
    return (center - other).norm(dim=1) / diagonal


def cross_weights(
    probabilities: Tensor, overlaps: Tensor, distances: Tensor, disagreement: float
) -> tuple[Tensor, Tensor]:
    """Weights (N,) of the classes, and of the boxes, each from the student's other task.

    Boxes whose class the student does not see weigh 1 + a (1 - p). Classes whose box it places well
    weigh 1 + IoU - distance, divided by their mean.

    Args:
        probabilities: The student's, of the class of each pseudo box.
        overlaps, distances: Of its box with the pseudo box.
        disagreement: a.
    """
    cls = 1 + overlaps - distances
    cls = cls / cls.mean().clamp(min=1e-6) if len(cls) else cls
    return cls, 1 + disagreement * (1 - probabilities)
