"""The latest scores of each class, in one tensor of constant size."""

from __future__ import annotations

import torch
from torch import Tensor


def push_scores(queue: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    """The queue (C, N), newest score first, after new scores (M,) of classes `labels` (M,).

    Of each class the first N new ones enter, in their order and before the old ones. A slot that
    was never filled holds 0. Scores that are not finite, and labels outside of the classes (255,
    nothing), are left out.
    """
    classes, length = queue.shape
    known = scores.isfinite() & (labels >= 0) & (labels < classes)
    labels = labels.long().where(known, classes)  # a class more, which is thrown away
    labels, order = labels.sort(stable=True)
    counts = labels.new_zeros(classes + 1).scatter_add_(0, labels, torch.ones_like(labels))
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(labels), device=labels.device) - starts[labels]
    shift = torch.arange(length, device=queue.device) - counts[:classes, None]
    moved = queue.gather(1, shift.clamp(min=0)).where(shift >= 0, 0.0)
    # One column more, for what is beyond the length.
    padded = torch.cat([moved, queue.new_zeros(classes, 1)], 1)
    padded = torch.cat([padded, queue.new_zeros(1, length + 1)], 0)
    padded[labels, place.clamp(max=length)] = scores[order].to(queue.dtype)
    return padded[:classes, :length]
