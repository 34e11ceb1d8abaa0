"""Losses of dense predictions against dense predictions: a teacher's for each prior of the maps."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .polishing import giou_loss

TINY = 1e-6


def quality_focal(logits: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    """|q - p|^gamma * BCE(p, q) for probabilities q to learn (Li et al. 2020), element by element.

    From logits, so that no probability of 0 or 1 is taken a logarithm of.
    """
    apart = (targets - logits.sigmoid()).abs() ** gamma
    return apart * (F.softplus(logits) - targets * logits)


def richest(scores: Tensor, share: float, valid: Tensor | None = None) -> Tensor:
    """Where the scores (any shape) are highest: a mask of floor(share * places), at least one.

    Places that are not `valid` are neither counted nor chosen.
    """
    flat = scores.flatten()
    places = len(flat)
    if valid is not None:
        flat = flat.masked_fill(~valid.flatten(), -math.inf)
        places = int(valid.sum())
    # 0.29 * 100 is a little less than 29.
    chosen = flat.topk(max(1, math.floor(share * places + TINY))).indices
    mask = torch.zeros_like(flat, dtype=torch.bool)
    mask[chosen] = True
    return mask.view_as(scores)


def dense_classes(logits: Tensor, targets: Tensor, region: Tensor, gamma: float = 2.0) -> Tensor:
    """Quality focal loss of all priors (P, K) over the sum of the best targets in the region (P,).

    Outside of the region the target is 0 for every class: what is not rich is suppressed.
    """
    total = quality_focal(logits, targets * region[:, None], gamma).sum()
    return total / (targets.amax(-1) * region).sum().clamp(min=TINY)


def dense_boxes(boxes: Tensor, targets: Tensor, region: Tensor) -> Tensor:
    """Mean GIoU loss of the boxes (P, 4) in the region.

    Some heads predict boxes that are inside out early in a training: none is a target.
    """
    region = region & (targets[..., 2:] > targets[..., :2]).all(-1)
    return giou_loss(boxes[region], targets[region]).sum() / region.sum().clamp(min=1)


def dense_quality(logits: Tensor, targets: Tensor, region: Tensor) -> Tensor:
    """Mean binary cross entropy of qualities (P,) to probabilities, in the region."""
    return F.binary_cross_entropy_with_logits(logits[region], targets[region])
