"""CutMix: a box of one image is replaced by the same box of another."""

from collections.abc import Sequence

import torch
from torch import Tensor

Box = tuple[int, int, int, int]
# Candidates drawn at once, and how often: with the shares and aspects of the papers about every
# third candidate lies inside of the image.
_DRAWN, _TRIES = 32, 100


def sample_box(
    shape: tuple[int, int],
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
    generator: torch.Generator | None = None,
) -> Box:
    """A random box (x1, y1, x2, y2) inside of an image of shape (height, width).

    Its share of the area is uniform in `area` and its aspect, (h / H) / (w / W), in `aspect`; the
    corner is uniform in the image, and what does not fit is drawn again (UniMatch, where images
    are square). As the aspect is uniform and not its logarithm, tall boxes are more frequent.
    """
    height, width = shape
    for _ in range(_TRIES):
        share, ratio, left, top = torch.rand(4, _DRAWN, generator=generator, dtype=torch.float64)
        share = area[0] + (area[1] - area[0]) * share
        ratio = aspect[0] + (aspect[1] - aspect[0]) * ratio
        w, h = (width * (share / ratio).sqrt()).long(), (height * (share * ratio).sqrt()).long()
        x, y = (left * width).long(), (top * height).long()
        fits = (x + w <= width) & (y + h <= height) & (w > 0) & (h > 0)
        if fits.any():
            first = int(fits.int().argmax())
            x1, y1, w1, h1 = (int(values[first]) for values in (x, y, w, h))
            return x1, y1, x1 + w1, y1 + h1
    raise ValueError(
        f"sample_box: no box with a share of the area in {area} and an aspect in {aspect} fits "
        f"into an image of {height}x{width}. Take a wider range of shares or of aspects."
    )


def box_around(
    center: Sequence[float], sides: Sequence[float], shape: tuple[int, int]
) -> Box | None:
    """The box (x1, y1, x2, y2) with a center and sides in shares of an image, as (height, width).

    What lies beyond the border is cut off; None if nothing is left.
    """
    corners = []
    for middle, side, length in zip(center, sides, shape, strict=True):
        half = int(length * side) // 2
        place = int(length * middle)
        corners.append((max(place - half, 0), min(place + half, length)))
    (y1, y2), (x1, x2) = corners
    return (x1, y1, x2, y2) if y2 > y1 and x2 > x1 else None


def box_mask(boxes: list[Box | None], shape: tuple[int, int]) -> Tensor:
    """Masks (B, H, W) that are true inside of the boxes; None is an empty one."""
    mask = torch.zeros(len(boxes), *shape, dtype=torch.bool)
    for own, box in zip(mask, boxes, strict=True):
        if box is not None:
            x1, y1, x2, y2 = box
            own[y1:y2, x1:x2] = True
    return mask


def paste(own: Tensor, partner: Tensor, mask: Tensor) -> Tensor:
    """`partner` where the mask (B, H, W) is true, else `own`: (B, H, W) or (B, C, H, W)."""
    return torch.where(mask if own.ndim == mask.ndim else mask[:, None], partner, own)
