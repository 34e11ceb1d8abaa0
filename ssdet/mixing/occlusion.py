"""Holes in objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .cutmix import Box


def holes(
    boxes: Tensor,
    prob: float,
    size: Sequence[float],
    shape: Sequence[int],
    generator: torch.Generator | None = None,
) -> list[Box]:
    """Squares (x1, y1, x2, y2), for each box (N, 4) with this probability, inside of the image.

    Their middle is even in the box; their side is even between two shares of the root of its
    area, and at least a pixel.
    """
    drawn = torch.rand(len(boxes), 4, generator=generator)
    found = []
    for (x1, y1, x2, y2), (chance, x, y, share) in zip(boxes.tolist(), drawn.tolist(), strict=True):
        if chance >= prob or x2 <= x1 or y2 <= y1:
            continue
        low, high = size
        side = max(round((low + (high - low) * share) * ((x2 - x1) * (y2 - y1)) ** 0.5), 1)
        middle = (x1 + x * (x2 - x1), y1 + y * (y2 - y1))
        found.append(hole_at(middle, (side, side), shape))
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in found if x2 > x1 and y2 > y1]


def hole_at(middle: Sequence[float], sides: Sequence[int], shape: Sequence[int]) -> Box:
    """A rectangle (x1, y1, x2, y2) around a point, cut at the borders of (height, width)."""
    height, width = shape
    left, top = round(middle[0] - sides[0] / 2), round(middle[1] - sides[1] / 2)
    return (
        max(left, 0),
        max(top, 0),
        min(left + sides[0], int(width)),
        min(top + sides[1], int(height)),
    )
