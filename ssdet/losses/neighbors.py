"""Pixels that look alike and lie side by side are of one class: the energy of a gated CRF."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor


def neighbor_energy(
    probabilities: Tensor,
    images: Tensor,
    valid: Tensor,
    *,
    radius: int,
    distance: float,
    color: float,
) -> Tensor:
    """sum(k (1 - p_i p_j)) / sum(k) over all pairs of valid pixels of a batch, a number in [0, 1].

    p_i p_j is the probability that two pixels, at most `radius` rows and columns apart, are of one
    class. The kernel k = exp(-d^2 / (2 distance^2) - c / (2 color^2)) falls with their distance d
    and with c, the mean over channels of the squared difference of their colors. Only the
    probabilities get a gradient.

    Args:
        probabilities: (B, C, H, W).
        images: (B, channels, H, W), in the unit of `color`.
        valid: (B, H, W), false for padding.
    """
    images, probabilities = images.detach().float(), probabilities.float()
    energy = weight = probabilities.new_zeros(())
    for down, right in _offsets(radius, probabilities.shape[-2:]):
        one, other = _moved(images, down, right)
        apart = (one - other).square().mean(1) / (2 * color**2)
        near = math.exp(-(down**2 + right**2) / (2 * distance**2))
        kernel = near * (-apart).exp() * torch.stack(_moved(valid, down, right)).all(0)
        first, second = _moved(probabilities, down, right)
        energy = energy + (kernel * (1 - (first * second).sum(1))).sum()
        weight = weight + kernel.sum()
    return energy / weight.clamp(min=torch.finfo(weight.dtype).tiny)


def _offsets(radius: int, size: torch.Size) -> Iterator[tuple[int, int]]:
    """Rows down and columns right from a pixel to each neighbor: of two directions one."""
    height, width = size
    for down in range(min(radius, height - 1) + 1):
        for right in range(-min(radius, width - 1), min(radius, width - 1) + 1):
            if down or right > 0:
                yield down, right


def _moved(maps: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    """The pixels (..., H, W) that have such a neighbor, and these neighbors."""
    height, width = maps.shape[-2:]
    left, right = max(-right, 0), max(right, 0)
    first = maps[..., : height - down, left : width - right]
    return first, maps[..., down:, right : width - left]
