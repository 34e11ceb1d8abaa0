"""Shrinking the class space until the teacher is certain (ShrinkMatch, Yang et al., ICCV 2023)."""

from typing import NamedTuple

import torch
from torch import Tensor


class Shrunk(NamedTuple):
    """What is left of the classes at each pixel; all (B, H, W) but `order` (B, C, H, W).

    Attributes:
        order: The classes from the most to the least probable.
        removed: k: the ranks 2 to k are removed, so that 1 means none.
        certain: The first class passes the threshold with all classes.
        usable: It passes when some classes are removed, and did not before.
        score: Probability of the first class among all.
    """

    order: Tensor
    removed: Tensor
    certain: Tensor
    usable: Tensor
    score: Tensor


def shrink_classes(probabilities: Tensor, threshold: float) -> Shrunk:
    """Remove the classes next to the first one until it passes the threshold among the others.

    The smallest k with p_1 / (p_1 + sum_{r > k} p_r) >= threshold, over the classes in the order
    of their probability (B, C, H, W); k is at most C - 1: at least the least probable class stays.
    The share rises with k, so it is found in one pass.
    """
    ordered, order = probabilities.float().sort(dim=1, descending=True)
    # The tail summed from its end, not 1 minus the head: exact where it is small.
    tails = ordered.flip(1).cumsum(1).flip(1)[:, 1:]
    first = ordered[:, :1]
    passed = first >= threshold * (first + tails)
    passed &= first > 0
    reached = passed.any(1)
    removed = torch.where(reached, passed.int().argmax(1) + 1, ordered.shape[1] - 1)
    certain = passed[:, 0]
    return Shrunk(order, removed, certain, reached & ~certain, first[:, 0])


def shrunk_cross_entropy(logits: Tensor, shrunk: Shrunk) -> Tensor:
    """-log of the first class's softmax among the classes that are left, for each pixel: (B, H, W).

    In float32, for logits (B, C, H, W).
    """
    ranked = logits.float().gather(1, shrunk.order)
    rank = torch.arange(1, ranked.shape[1] + 1, device=ranked.device).view(1, -1, 1, 1)
    gone = (rank >= 2) & (rank <= shrunk.removed[:, None])
    left = ranked.masked_fill(gone, torch.finfo(ranked.dtype).min)
    return left.logsumexp(1) - ranked[:, 0]


def shrink_loss(logits: Tensor, shrunk: Shrunk, valid: Tensor, *, by_score: bool = True) -> Tensor:
    """Sum over the usable pixels of p_1 times their shrunk cross entropy, by all valid pixels.

    Args:
        by_score: The first re-weighting principle: a pixel counts with its original p_1.
    """
    used = shrunk.usable & valid
    losses = shrunk_cross_entropy(logits, shrunk)
    weighted = losses * shrunk.score if by_score else losses
    return weighted.where(used, 0.0).sum() / valid.sum().clamp(min=1)
