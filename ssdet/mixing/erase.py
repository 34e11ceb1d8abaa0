"""Erasing patches of an image, and how much of each box they take."""

from __future__ import annotations

import torch
from torch import Tensor

from .cutmix import Box


def sample_patches(
    shape: tuple[int, int],
    count: tuple[int, int] = (1, 19),
    size: tuple[float, float] = (0.0, 0.1),
    generator: torch.Generator | None = None,
) -> list[Box]:
    """Random patches (x1, y1, x2, y2) inside of an image of shape (height, width).

    Their number is uniform in `count`, both ends included. The sides of a patch are the same share
    of the image's, uniform in `size` and rounded down; its place is uniform.
    """
    number = int(torch.randint(count[0], count[1] + 1, (), generator=generator))
    patches = []
    for share, left, top in torch.rand(number, 3, generator=generator).tolist():
        share = size[0] + (size[1] - size[0]) * share
        height, width = int(shape[0] * share), int(shape[1] * share)
        x, y = int(left * (shape[1] - width + 1)), int(top * (shape[0] - height + 1))
        patches.append((x, y, x + width, y + height))
    return patches


def erased_share(boxes: Tensor, mask: Tensor) -> Tensor:
    """Which share of each box (N, 4) the mask (H, W) covers, to the fraction of a pixel.

    Pixels are counted once, however many patches cover them. What lies outside of the mask is not
    erased; a box without an area has the share 0.
    """
    height, width = mask.shape
    # sums[y, x]: number of erased pixels above and left of the corner (x, y)
    sums = torch.zeros(height + 1, width + 1, dtype=torch.float64, device=mask.device)
    sums[1:, 1:] = mask.double().cumsum(0).cumsum(1)
    x1, y1, x2, y2 = boxes.double().unbind(-1)
    erased = _at(sums, x2, y2) - _at(sums, x1, y2) - _at(sums, x2, y1) + _at(sums, x1, y1)
    area = (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)
    share = torch.where(area > 0, erased / area.clamp(min=1e-12), torch.zeros_like(area))
    return share.to(boxes.dtype)


def _at(sums: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The sums between corners of pixels: within a pixel they are linear along x and along y."""
    x, y = x.clamp(0, sums.shape[1] - 1), y.clamp(0, sums.shape[0] - 1)
    left, top = x.long().clamp(max=sums.shape[1] - 2), y.long().clamp(max=sums.shape[0] - 2)
    right, down = x - left, y - top
    above = sums[top, left] * (1 - right) + sums[top, left + 1] * right
    below = sums[top + 1, left] * (1 - right) + sums[top + 1, left + 1] * right
    return above * (1 - down) + below * down
