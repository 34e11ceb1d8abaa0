"""Two thresholds for each class from the scores of an epoch: those of Efficient Teacher's code."""

from __future__ import annotations

import torch
from torch import Tensor

from .gmm import mixture_thresholds


def epoch_thresholds(
    scores: Tensor,
    labels: Tensor,
    usual: Tensor,
    *,
    low: float,
    high: float,
    share: float = 0.99,
) -> tuple[Tensor, Tensor]:
    """The least score of a label and of an uncertain box (C,), by what the teacher found.

    Scores and labels (M,) are those of an epoch, `usual` (C,) how many a class had on average in
    an epoch so far. The upper threshold is the most likely score of the upper of two Gaussians;
    the lower one has min(usual, share * M_c) scores above it, and is at least `low`. A class
    without a score has `low` and `high`, one with fewer than four, `high`.
    """
    upper, lower = scores.new_full((len(usual),), high), scores.new_full((len(usual),), low)
    for number, count in enumerate(usual.tolist()):
        own = scores[labels == number].sort(descending=True).values
        if not len(own):
            continue
        rank = min(int(count), int(share * len(own)), len(own) - 1)
        lower[number] = own[rank].clamp(min=low)
        upper[number] = mixture_thresholds(own[None], "high", default=high)[0]
    return torch.maximum(upper, lower), lower
