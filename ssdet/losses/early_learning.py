"""Regularizers against labels that are wrong."""

from __future__ import annotations

from torch import Tensor

LEAST = 1e-4  # of a probability, as in the published code of ELR


def early_learning(probabilities: Tensor, target: Tensor) -> Tensor:
    """log(1 - <t, p>) over the classes of (B, C, ...): the lower, the more both agree (ELR)."""
    clipped = probabilities.float().clamp(LEAST, 1 - LEAST)
    agreed = (clipped * target.detach()).sum(1)
    return (1 - agreed.clamp(max=1 - LEAST)).log()
