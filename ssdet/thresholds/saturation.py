"""CW-BASS v2: is the teacher as right as it is sure, and how low may a threshold be if not?"""

from __future__ import annotations

import torch
from torch import Tensor


def saturation(scores: Tensor, right: Tensor, score: float) -> tuple[float, float]:
    """Which share of labels reaches a score, and which share of those is right (nan: of none)."""
    kept = scores >= score
    share = float(kept.float().mean()) if len(kept) else 0.0
    return share, float(right[kept].float().mean()) if kept.any() else float("nan")


def precision_range(
    scores: Tensor, right: Tensor, images: Tensor, score: float, *, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """The middle 90 % of the share that is right, over draws of as many images with replacement.

    Labels of one image are wrong together, so images are drawn and not labels. nan: nothing reaches
    the score.
    """
    kept = (scores >= score).float()
    numbers = int(images.max()) + 1 if len(images) else 0
    count = torch.zeros(numbers).index_add_(0, images, kept)
    hits = torch.zeros(numbers).index_add_(0, images, kept * right.float())
    if not count.any():
        return float("nan"), float("nan")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(numbers, (draws, numbers), generator=generator)
    sums = count[drawn].sum(1)
    found = (hits[drawn].sum(1) / sums)[sums > 0]
    low, high = found.quantile(torch.tensor([0.05, 0.95])).tolist()
    return low, high


def confidence_floor(
    mean: float, scale: float, bounds: tuple[float, float], class_mean: float = 0.5
) -> float:
    """max(d, scale * mean within the bounds) with d = 0.6 / (1 + exp(-(class_mean - 0.5) / 2)).

    d, within the bounds too, lies between 0.26 and 0.34, so it matters for a poor teacher alone.
    """
    low, high = bounds
    base = float(torch.sigmoid(torch.tensor(0.5 * (class_mean - 0.5), dtype=torch.float64)) * 0.6)
    return max(min(max(base, low), high), min(max(scale * mean, low), high))
