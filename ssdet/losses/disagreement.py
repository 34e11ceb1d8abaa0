"""Losses on what several networks disagree about (RAIL, 2025), for any number of classes.

Probabilities are (B, C, H, W) in float32, labels and masks (B, H, W). The published losses are for
one foreground class; with two classes these are the same numbers, because squares are averaged
over the classes. A mean over no pixel is zero with a graph.
"""

import math

import torch
from torch import Tensor

from .pixels import one_hot

TINY = 1e-7


def sharpen(probabilities: Tensor, temperature: float) -> Tensor:
    """p^(1/T) / sum p^(1/T) over the classes; small T moves all to the most probable class."""
    return (probabilities.clamp(min=TINY).log() / temperature).softmax(1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is true, 0 where that is nowhere."""
    return values.where(mask, 0.0).sum() / mask.sum().clamp(min=1)


def disagreement_focused(
    probabilities: Tensor,
    labels: Tensor,
    instructor: Tensor | None,
    valid: Tensor,
    *,
    region: float = 0.5,
    error: float = 0.05,
) -> Tensor:
    """Extra supervision with the ground truth where a network and its instructor disagree.

    region * mean over D of (p - y)^2 + error * mean over D and E of KL(y || p), with D the pixels
    whose label differs from the `instructor`'s, and E those where the network is wrong. Without an
    instructor (the network is the best itself) D is every valid pixel.
    """
    predicted = probabilities.argmax(1)
    mask = valid if instructor is None else valid & (predicted != instructor)
    truth = one_hot(labels, probabilities.shape[1], valid)
    squared = (probabilities - truth).square().mean(1)
    # The truth is certain, so its divergence from the prediction is the cross entropy.
    divergence = -(truth * probabilities.clamp(min=TINY).log()).sum(1)
    wrong = mask & (predicted != labels)
    return region * masked_mean(squared, mask) + error * masked_mean(divergence, wrong)


def flatten_confidence(probabilities: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask of KL(uniform || p): low confidence where another network disagrees."""
    classes = probabilities.shape[1]
    logs = probabilities.clamp(min=TINY).log().mean(1)
    return masked_mean(-logs - math.log(classes), mask)


def squared_error(probabilities: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask of the squares, which are averaged over the classes."""
    return masked_mean((probabilities - target).square().mean(1), mask)


def dice_loss(predicted: Tensor, labels: Tensor, classes: int, valid: Tensor) -> Tensor:
    """1 - Dice of label maps: the mean over the classes that either map shows.

    The class 0 (background) counts only if there is no other in either map.
    """
    found, truth = (one_hot(x, classes, valid) * valid[:, None] for x in (predicted, labels))
    overlap, total = (found * truth).sum((0, 2, 3)), (found + truth).sum((0, 2, 3))
    shown = total > 0
    if shown[1:].any():
        shown[0] = False
    dice = 2 * overlap[shown] / total[shown]
    return 1 - dice.mean() if len(dice) else torch.zeros((), device=labels.device)
