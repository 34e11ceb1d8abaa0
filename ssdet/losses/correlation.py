"""Correlation of pixels (CorrMatch): labels spread along it, and its maps are regions."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import IGNORE

Normalize = Literal["source", "target"]


def correlation(first: Tensor, second: Tensor, normalize: Normalize = "source") -> Tensor:
    """How much each pixel gives to each other one: (B, C, h, w) twice -> (B, N, N), N = h w.

    softmax(f1^T f2 / sqrt(C)); entry [i, j] is the weight from pixel i to pixel j. With "source"
    what a pixel gives sums to 1, as published; with "target" what a pixel gets does.
    """
    one, other = first.float().flatten(2), second.float().flatten(2)
    scores = one.transpose(1, 2) @ other / math.sqrt(one.shape[1])
    return scores.softmax(-1 if normalize == "source" else -2)


def spread(logits: Tensor, weights: Tensor) -> Tensor:
    """Logits (B, C, h, w), each pixel's passed on along the correlation (B, N, N)."""
    return (logits.float().flatten(2) @ weights).view_as(logits)


def regions(maps: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    """Which pixels of an image belong together: (B, K, h, w) -> (B, K, H, W), booleans.

    A map is enlarged, stretched to [0, 1], and cut at one half; one without contrast is empty.
    """
    large = F.interpolate(maps.float(), size, mode="bilinear", align_corners=align_corners)
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    return (large - low > 0.5 * (high - low)) & (high > low)


def propagate(
    labels: Tensor, kept: Tensor, found: Tensor, threshold: float, classes: int
) -> tuple[Tensor, Tensor]:
    """Labels (B, H, W) after regions (B, K, H, W) have taken one, and the pixels that did.

    A region takes a label if the share of its pixels that are `kept` reaches the threshold, and
    the share of these that have its most frequent label exceeds it. All regions look at the labels
    as they came; where two of them overlap the later one wins.
    """
    known = kept & (labels < classes)
    votes = F.one_hot(labels.where(known, 0), classes).to(found.device) * known[..., None]
    area = found.flatten(2).float()
    counts = area @ votes.flatten(1, 2).float()  # (B, K, C)
    winners, total = counts.max(-1), counts.sum(-1)
    share = total / area.sum(-1).clamp(min=1)
    accepted = (total > 0) & (share >= threshold) & (winners.values > threshold * total)
    number = torch.arange(1, found.shape[1] + 1, device=found.device)
    # The number of the last accepted region that a pixel lies in; 0: of none.
    last = (found * (number * accepted)[..., None, None]).amax(1)
    of_region = torch.cat([winners.indices.new_full((len(labels), 1), IGNORE), winners.indices], 1)
    given = of_region.gather(1, last.flatten(1)).view_as(labels)
    return torch.where(last > 0, given, labels), last > 0
