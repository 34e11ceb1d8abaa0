"""Features that do not tell from which of two domains an image is."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def reversed_gradient(features: Tensor) -> Tensor:
    """The same numbers, whose gradient is multiplied by -1 (Ganin & Lempitsky, ICML 2015).

    What reads them learns to tell domains apart, what made them learns to hide the difference.
    """
    return _Reversed.apply(features)  # type: ignore[no-any-return]


def domain_loss(labeled: Tensor, unlabeled: Tensor, gamma: float = 2.0) -> Tensor:
    """The focal loss of a classifier of domains, both of which count one half.

    Logits of any shape, of the unlabeled domain. With p the probability of the right domain each
    of them learns -(1 - p)^gamma log p.
    """
    parts = (_focal(-labeled.float(), gamma), _focal(unlabeled.float(), gamma))
    return 0.5 * torch.stack(parts).sum()


def _focal(right: Tensor, gamma: float) -> Tensor:
    return (torch.sigmoid(-right) ** gamma * F.softplus(-right)).mean()


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]
