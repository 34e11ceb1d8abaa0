"""How sure a detector is of each side of a box (Unbiased Teacher v2, CVPR 2022).

Logits of the deviation of each of the four sides: sigma = sigmoid(logit), certainty = 1 - sigma.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor


def certainty(logits: Tensor) -> Tensor:
    """1 - sigma, in [0, 1]."""
    return (-logits).sigmoid()


def sides_likelihood(errors: Tensor, logits: Tensor) -> Tensor:
    """Negative log-likelihood (N,) of the errors (N, 4) of the sides, each a normal distribution.

    error^2 / (2 sigma^2) + log sigma, summed over the sides, + 2 log(2 pi).
    """
    log_sigma = F.logsigmoid(logits)
    sides = errors.square() / 2 * (-2 * log_sigma).exp() + log_sigma
    return sides.sum(-1) + 2 * math.log(2 * math.pi)


def listens(teacher: Tensor, student: Tensor, *, margin: float, least: float) -> Tensor:
    """Which sides the student takes from the teacher, by logits of the deviations (any shape).

    Where the teacher is surer than the student by more than `margin`, and surer than `least`.
    """
    sure = certainty(teacher)
    return (sure > certainty(student) + margin) & (sure > least)


def listening_loss(errors: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """Mean |error| of the chosen sides (N, 4), with a weight (N,) for each box; 0 if there is none.

    The mean counts sides, not weights.
    """
    return (errors.abs() * chosen * weights[:, None]).sum() / chosen.sum().clamp(min=1)
