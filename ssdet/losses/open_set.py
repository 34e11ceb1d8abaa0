"""Objects of no known class: a binary classifier for each class beside the usual one (IOMatch)."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = 1e-6


def multi_binary(positive: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log pos_y + max over other classes of -log neg_k, with neg = 1 - pos.

    `positive` (N, K) are probabilities that a sample is of a class, each apart from the others;
    `labels` (N,) are classes.
    """
    if not len(labels):
        return positive.sum() * 0.0
    own = torch.arange(positive.shape[1], device=labels.device) == labels[:, None]
    right = -positive.clamp(min=LEAST).log()
    wrong = -(1 - positive).clamp(min=LEAST).log()
    hardest = wrong.masked_fill(own, 0.0).amax(1)
    return (right[own] + hardest).mean()


def open_probabilities(closed: Tensor, positive: Tensor) -> Tensor:
    """Probabilities (N, K + 1) with an unknown class at the end: q_k = p_k pos_k, the rest unknown.

    `closed` (N, K) are those of the usual classifier, among the known classes.
    """
    known = closed * positive
    return torch.cat([known, (closed * (1 - positive)).sum(1, keepdim=True)], dim=1)
