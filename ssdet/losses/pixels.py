"""Means over pixels that have weights and may not be valid.

With the loss l, the weight w and the validity V of each pixel, and m = 1[w > 0] V:

* `valid`: sum(l w V) / sum(V). A pixel of weight 0 counts in the mean, so a teacher that is
  rarely confident has little effect (FixMatch, UniMatch).
* `kept`: sum(l w V) / max(1, sum(m)). The loss does not depend on how many pixels are kept. The
  normalizer counts pixels, not weights: all weights equal to w give w times the loss.
* `image`: q sum(l V) / sum(V) with q = sum(w V) / sum(V) over the batch. Every valid pixel is
  trained on, those of weight 0 too, with the share of trusted ones as its weight (DACS, DAFormer).

Nothing valid, or nothing kept, gives zero with a graph, never 0/0.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import IGNORE

Reduction = Literal["valid", "kept", "image"]


def one_hot(labels: Tensor, classes: int, known: Tensor) -> Tensor:
    """Labels (B, H, W) as (B, C, H, W); what is not known counts as class 0: mask it."""
    return F.one_hot(labels.where(known, 0).long(), classes).movedim(-1, 1).float()


def effective_weights(weights: Tensor, valid: Tensor, reduction: Reduction = "valid") -> Tensor:
    """The weight with which each pixel is trained on: 0 where not valid, the same q for `image`."""
    weights = weights.float() * valid
    if reduction == "image":
        return valid * (weights.sum() / valid.sum().clamp(min=1))
    return weights


def pixel_mean(
    losses: Tensor, weights: Tensor, valid: Tensor, reduction: Reduction = "valid"
) -> Tensor:
    """Mean of the losses of pixels, all (B, H, W), under one of the three normalizers."""
    weights = effective_weights(weights, valid, reduction)
    trained = weights > 0
    # Not 0 * loss: what is not trained on may be infinite.
    total = (losses.float() * weights).where(trained, 0.0).sum()
    counted = trained if reduction == "kept" else valid
    return total / counted.sum().clamp(min=1)


def masked_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor,
    valid: Tensor,
    reduction: Reduction = "valid",
    *,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Cross entropy of logits (B, C, H, W) with labels (B, H, W), in float32 under autocast too."""
    labels = labels.where(valid, IGNORE)
    losses = F.cross_entropy(
        logits.float(), labels, weight=class_weights, ignore_index=IGNORE, reduction="none"
    )
    return pixel_mean(losses, weights, valid, reduction)


def two_channels(logits: Tensor) -> Tensor:
    """One channel (B, 1, H, W), of an object, as two: the background has the logit 0."""
    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
