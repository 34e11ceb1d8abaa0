"""Quantiles of recent scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def quantile_thresholds(
    scores: Tensor, share: float, *, default: float = 0.0, min_scores: int = 1
) -> Tensor:
    """The score below which `share` of the scores of each class (C, N) lie, between ranks linearly.

    An entry that is not above 0 or not finite is empty; a class with fewer than `min_scores` gets
    `default`.
    """
    known = (scores > 0) & scores.isfinite()
    count = known.sum(1)
    ranked = scores.where(known, math.inf).sort(1).values
    place = (count - 1).clamp(min=0) * share
    below = place.floor().long()
    above = place.ceil().long()
    low, high = (ranked.gather(1, rank[:, None])[:, 0] for rank in (below, above))
    limits = torch.lerp(low, high, (place - below).to(scores.dtype))
    return limits.where(count >= max(min_scores, 1), default)
