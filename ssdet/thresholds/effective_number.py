"""Weights of classes by the effective number of their samples."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Over = Literal["samples", "classes"]


def effective_number_weights(
    counts: Tensor, beta: float = 0.999, *, over: Over = "samples"
) -> Tensor:
    """(1 - beta) / (1 - beta^n) for the n samples (C,) of each class, with a mean of 1.

    Cui et al., CVPR 2019, where the mean is taken over the classes. One very rare class then takes
    nearly all the weight, and the loss of all others shrinks. The mean over the samples leaves the
    size of the loss as it was. A class with less than one sample counts as if it had one.
    """
    number = counts.double().clamp(min=1.0)
    if beta >= 1:
        weights = 1 / number  # the limit
    else:
        weights = (1 - beta) / -torch.expm1(number * torch.log(number.new_tensor(beta)))
    seen = counts.double() if over == "samples" and counts.sum() > 0 else torch.ones_like(number)
    return (weights * seen.sum() / (weights * seen).sum()).float()
