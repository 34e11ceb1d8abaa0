"""Regions of feature maps, pasted at their own place."""

from __future__ import annotations

import math

from torch import Tensor


def paste_region(own: Tensor, partner: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """A feature map (C, h, w) with the cells of another one where boxes (N, 4) lie.

    Boxes are in pixels of images of this (height, width), which `own` shows; `partner` has cells
    of the same size. A box is snapped outwards to whole cells.
    """
    result = own.clone()
    along = (size[1] / own.shape[-1], size[0] / own.shape[-2])  # pixels in a cell
    rows, columns = (min(one) for one in zip(own.shape[-2:], partner.shape[-2:], strict=True))
    for x1, y1, x2, y2 in boxes.tolist():
        left, right = math.floor(x1 / along[0]), min(math.ceil(x2 / along[0]), columns)
        top, bottom = math.floor(y1 / along[1]), min(math.ceil(y2 / along[1]), rows)
        result[:, top:bottom, left:right] = partner[:, top:bottom, left:right].to(own.dtype)
    return result
