"""The entropy of probabilities, as a measure of a teacher's uncertainty."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy_of(probabilities: Tensor, floor: float = 1e-12) -> Tensor:
    """-sum(p ln max(p, floor)) over the classes of (..., C, H, W), in nats; from 0 to ln C."""
    return -(probabilities * probabilities.clamp(min=floor).log()).sum(-3)


def certainty(probabilities: Tensor) -> Tensor:
    """1 - entropy / log(classes) of probabilities (B, C, ...), in [0, 1]."""
    classes = probabilities.shape[1]
    entropy = torch.special.entr(probabilities).sum(1)
    return (1.0 - entropy / math.log(max(classes, 2))).clamp(0.0, 1.0)
