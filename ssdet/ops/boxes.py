"""Overlaps of axis-aligned boxes."""

from __future__ import annotations

from torch import Tensor


def bbox_overlaps(
    boxes1: Tensor, boxes2: Tensor, ious: Tensor, *, mode: int, aligned: bool, offset: int
) -> None:
    """Write IoU (mode 0) or intersection over the first box (mode 1) into `ious`."""
    first = boxes1 if aligned else boxes1[:, None]
    sides = first[..., 2:].minimum(boxes2[..., 2:]) - first[..., :2].maximum(boxes2[..., :2])
    overlap = (sides + offset).clamp(min=0).prod(-1)
    union = area(first, offset)
    if mode == 0:
        union = union + area(boxes2, offset) - overlap
    ious.copy_(overlap / union)


def area(boxes: Tensor, offset: int) -> Tensor:
    """Areas of boxes whose sides are `x2 - x1 + offset` long."""
    sides = boxes[..., 2:] - boxes[..., :2] + offset
    return sides[..., 0] * sides[..., 1]
