"""Fusion of several predictions, each weighted by its certainty (UMCT, WACV 2020).

Predictions are (N, B, C, H, W): N views or networks, in one frame. Uncertainties are (N, B, H, W),
or (N, B, 1, 1) for one number for each image.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from .entropy import entropy_of

Uncertainty = Literal["entropy", "margin"]
TINY = 1e-7


def uncertainty_of(probabilities: Tensor, kind: Uncertainty = "entropy") -> Tensor:
    """In [0, 1], over the classes (third axis from the end): 0 is certain.

    `entropy` is divided by its highest value, ln C; `margin` is 1 minus the lead of the most
    probable class over the second.
    """
    if kind == "margin":
        best = probabilities.topk(2, dim=-3).values
        first, second = best.unbind(-3)
        return 1 - (first - second)
    return entropy_of(probabilities, floor=TINY) / math.log(probabilities.shape[-3])


def variance_of(passes: Tensor) -> Tensor:
    """Variance over the first axis of (K, ..., C, H, W), summed over the classes: (..., H, W).

    The uncertainty of Monte Carlo dropout; one pass has none.
    """
    return passes.var(0, unbiased=False).sum(-3)


def fuse(
    probabilities: Tensor, uncertainty: Tensor, *, without: int | None = None, eps: float = 1e-2
) -> Tensor:
    """sum_j p_j / (u_j + eps) divided by sum_j 1 / (u_j + eps), over all j but `without`.

    `eps` bounds how much more a certain prediction counts than others: 1 / eps to 1 / (1 + eps).
    """
    weights = 1.0 / (uncertainty + eps)
    if without is not None:
        chosen = [j for j in range(len(probabilities)) if j != without]
        weights, probabilities = weights[chosen], probabilities[chosen]
    weights = weights / weights.sum(0, keepdim=True)
    return torch.einsum("nbhw,nbchw->bchw", weights.expand(_shape(probabilities)), probabilities)


def _shape(probabilities: Tensor) -> tuple[int, ...]:
    n, b, _, h, w = probabilities.shape
    return n, b, h, w
