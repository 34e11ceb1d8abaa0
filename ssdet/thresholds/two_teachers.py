"""Two teachers of different kinds, each trusted where it is certain (after UnCoL, TMI 2026)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .entropy import certainty

Combination = Literal["blend", "select"]


def combine_certain(
    first: Tensor, second: Tensor, mode: Combination = "blend", trust: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Probabilities (B, C, H, W) of two teachers made one, and the weights (B, H, W) of its labels.

    With the certainties a = 1 - entropy / ln C, that of the second times `trust`: "blend" is the
    mean weighted by them, "select" the more certain of the two.
    """
    own, other = certainty(first), certainty(second) * trust
    if mode == "select":
        fused = second.where((other > own)[:, None], first)
    else:
        share = other / (own + other).clamp(min=1e-12)
        fused = first + (second - first) * share[:, None]
    return fused, agreed_weight(own, other, first.argmax(1) == second.argmax(1))


def agreed_weight(own: Tensor, other: Tensor, same: Tensor) -> Tensor:
    """max(a, b) where two teachers say the same, max(a, b) * |a - b| where they do not.

    Two that are equally certain of different labels cancel each other.
    """
    most = torch.maximum(own, other)
    return torch.where(same, most, most * (own - other).abs())
