"""Weights of classes by the effective number of their samples."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_number_weights(counts: Tensor, beta: float = 0.999) -> Tensor:
    """(1 - beta) / (1 - beta^n) for the n samples (C,) of each class, with a mean of 1.

    Cui et al., CVPR 2019. A class with less than one sample counts as if it had one.
    """
    number = counts.double().clamp(min=1.0)
    if beta >= 1:
        weights = 1 / number  # the limit
    else:
        weights = (1 - beta) / -torch.expm1(number * torch.log(number.new_tensor(beta)))
    return (weights / weights.mean()).float()
