"""DDFP: how dense the features of pixels lie, and steps to where they lie less densely."""

import math

import torch.nn.functional as F
from torch import Tensor


def mixture_density(densities: Tensor) -> Tensor:
    """Log density (N,) of a mixture of equal parts, from those of its components (N, C)."""
    return densities.logsumexp(-1) - math.log(densities.shape[-1])


def density_loss(densities: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log likelihood of N features under a mixture with a component for each class.

    A feature of a known class belongs to its component; one of an unknown class (label -1) to the
    mixture.
    """
    known = labels >= 0
    own = densities.gather(-1, labels.clamp(min=0)[:, None])[:, 0]
    return -own.where(known, mixture_density(densities)).mean()


def ascent(gradient: Tensor, length: float) -> Tensor:
    """A step of this length for each pixel along its gradient (B, D, H, W); 0 where that is 0."""
    return F.normalize(gradient, dim=1) * length
