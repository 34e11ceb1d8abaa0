"""Whole images put together on a canvas: mixup and mosaic, with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, int]  # (height, width)


class CanvasBox(NamedTuple):
    """Where on a canvas an image goes, in what size, and whether it is mirrored."""

    x: int
    y: int
    height: int
    width: int
    flip: bool = False


def fit(shape: Shape, limit: Shape) -> Shape:
    """The largest shape of the same proportions, up to rounding, that fits into a limit."""
    scale = min(limit[0] / shape[0], limit[1] / shape[1])
    height, width = (max(int(side * scale + 0.5), 1) for side in shape)
    return min(height, limit[0]), min(width, limit[1])


def put(
    canvas: Tensor,
    image: Tensor,
    place: CanvasBox,
    *,
    share: float = 1.0,
    mode: Literal["bilinear", "nearest"] = "bilinear",
) -> None:
    """Add `share` of an image (C, h, w) to a canvas (C, H, W), in place."""
    size = (place.height, place.width)
    if tuple(image.shape[-2:]) != size:
        smooth = dict(align_corners=False, antialias=True) if mode == "bilinear" else {}
        image = F.interpolate(image[None], size=size, mode=mode, **smooth)[0]
    image = image.flip(-1) if place.flip else image
    part = (slice(place.y, place.y + place.height), slice(place.x, place.x + place.width))
    canvas[:, part[0], part[1]] += image.to(canvas.dtype) * share


def put_boxes(boxes: Tensor, shape: Shape, place: CanvasBox) -> Tensor:
    """Boxes (N, 4) of an image of this shape, on the canvas."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    if place.flip:
        x1, x2 = shape[1] - x2, shape[1] - x1
    wide, high = place.width / shape[1], place.height / shape[0]
    return torch.stack(
        [x1 * wide + place.x, y1 * high + place.y, x2 * wide + place.x, y2 * high + place.y], -1
    )


def mixup_places(
    own: Shape,
    other: Shape,
    limit: Shape,
    *,
    flip: float = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[CanvasBox, CanvasBox, Shape]:
    """Places of an image and of one that is mixed into it, and the shape of their canvas.

    The other one is made as large as fits into `limit`, and mirrored with probability `flip`.
    The canvas holds the higher and the wider of both, each of which lies anywhere on it.
    """
    other = fit(other, limit)
    height, width = max(own[0], other[0]), max(own[1], other[1])
    places = []
    for shape, chance in ((own, 0.0), (other, flip)):
        down, right, mirrored = torch.rand(3, generator=generator).tolist()
        x, y = int(right * (width - shape[1] + 1)), int(down * (height - shape[0] + 1))
        places.append(CanvasBox(x, y, *shape, flip=mirrored < chance))
    return places[0], places[1], (height, width)


def mosaic_places(
    shapes: Sequence[Shape],
    cell: Shape,
    *,
    flip: float = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[list[CanvasBox], Shape]:
    """Places of four images around one point, and the shape of the canvas.

    Each is made as large as fits into a cell of this (height, width) and touches the middle of
    the canvas with a corner; the canvas is twice as high and wide as the largest of them.
    """
    if len(shapes) != 4:
        raise ValueError(f"mosaic_places: a mosaic has 4 images, not {len(shapes)}")
    sizes = [fit(shape, cell) for shape in shapes]
    mirrored = (torch.rand(4, generator=generator) < flip).tolist()
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    places = [
        CanvasBox(
            width - w if number % 2 == 0 else width,
            height - h if number < 2 else height,
            h,
            w,
            mirrored[number],
        )
        for number, (h, w) in enumerate(sizes)
    ]
    return places, (2 * height, 2 * width)
