"""Keeping as many labels of an image as their scores add up to."""

from __future__ import annotations

from torch import Tensor

MARGIN = 1e-5


def count_threshold(scores: Tensor, ratio: float = 1.0) -> Tensor:
    """The threshold of one image that lets about ratio * sum(scores) labels pass.

    The rule of Consistent-Teacher: with n = floor(ratio * sum + 1/2), a little less than the score
    of rank n, counted from 0 in descending order. So n + 1 scores are above it, or all of them. An
    image without a score has the threshold 1.
    """
    if not len(scores):
        return scores.new_ones(())
    ranked = scores.sort(descending=True).values
    number = (ranked.sum() * ratio + 0.5).long().clamp(max=len(ranked) - 1)
    return ranked[number] - MARGIN
