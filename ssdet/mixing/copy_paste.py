"""Copy-paste: objects, or a region, of one image over another, and what remains visible below.

A pixel belongs to a box if the box touches it: columns floor(x1) to ceil(x2) - 1. With boxes alone
an object is its box, so a pasted box hides all that it covers, and the box of a half hidden object
is cut back to the hull of its visible pixels; a corner that is hidden changes nothing.
"""

from typing import Literal

import torch
from torch import Tensor

Kind = Literal["box", "grid", "strip"]
_EXACT = 1e-9  # 2/3 of 21 is 14 pixels, whatever the last bit of 2/3 says


def box_pixels(boxes: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rows (N, H) and columns (N, W) that each box touches; a box is all of their crossings."""
    x1, y1, x2, y2 = (side[:, None] for side in boxes.unbind(-1))
    rows = torch.arange(shape[0], device=boxes.device)
    columns = torch.arange(shape[1], device=boxes.device)
    return (
        (rows >= y1.floor()) & (rows < y2.ceil()),
        (columns >= x1.floor()) & (columns < x2.ceil()),
    )


def region_of(boxes: Tensor, masks: Tensor | None, shape: tuple[int, int]) -> Tensor:
    """All pixels (H, W) of the objects: of their masks (N, H, W), or of their boxes (N, 4)."""
    if masks is not None:
        return masks.bool().any(0)
    rows, columns = box_pixels(boxes, shape)
    return (rows.float().T @ columns.float()) > 0


def restrict(
    boxes: Tensor, masks: Tensor | None, region: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What of each object lies inside of a region (H, W).

    Returns:
        The share of its pixels (N,) that does, 0 for an object without any; boxes that are tight
        around the rest, but untouched where nothing is missing; the masks of the rest.
    """
    if masks is None:
        rows, columns = box_pixels(boxes, (region.shape[0], region.shape[1]))
        own = rows.sum(1) * columns.sum(1)
        # Pixels inside of the region for each row of a box, and for each of its columns.
        in_rows = (columns.float() @ region.float().T) * rows
        in_columns = (rows.float() @ region.float()) * columns
    else:
        own = masks.bool().flatten(1).sum(1)
        masks = masks.bool() & region
        in_rows, in_columns = masks.sum(2), masks.sum(1)
    share = in_rows.sum(1) / own.clamp(min=1)
    hull = _hull(in_rows > 0, in_columns > 0).to(boxes.dtype)
    if masks is None:  # a side that is still visible stays where it was between two pixels
        hull = torch.cat(
            [torch.maximum(hull[:, :2], boxes[:, :2]), torch.minimum(hull[:, 2:], boxes[:, 2:])], 1
        )
    hull = hull * (share > 0)[:, None]
    return share, torch.where((share >= 1)[:, None], boxes, hull), masks


def _hull(rows: Tensor, columns: Tensor) -> Tensor:
    """Boxes from the first to just after the last true row and column; of an empty one all is 0."""

    def ends(line: Tensor) -> tuple[Tensor, Tensor]:
        line = line.int()
        length = line.shape[1]
        return line.argmax(1), (length - line.flip(1).argmax(1)) * line.any(1)

    (y1, y2), (x1, x2) = ends(rows), ends(columns)
    return torch.stack([x1, y1, x2, y2], dim=1)


def patch_mask(
    shape: tuple[int, int],
    side: float = 2 / 3,
    kind: Kind = "box",
    parts: int = 3,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A mask (H, W) that is true inside of a random patch; BCP (Bai et al. 2023).

    "box": floor(side H) x floor(side W) pixels anywhere. "grid": the image is divided into
    parts x parts cells, and each has such a patch of its own. "strip": floor(side^2 H) whole rows.
    """
    height, width = shape
    mask = torch.zeros(shape, dtype=torch.bool)
    if kind == "strip":
        _patch(mask, (height, width), (side**2, 1.0), generator)
        return mask
    count = parts if kind == "grid" else 1
    cell = (height // count, width // count)
    for row in range(count):
        for column in range(count):
            corner = mask[row * cell[0] :, column * cell[1] :]
            _patch(corner, cell, (side, side), generator)
    return mask


def _patch(
    mask: Tensor,
    cell: tuple[int, int],
    sides: tuple[float, float],
    generator: torch.Generator | None,
) -> None:
    """Set a patch of a cell, which starts at the mask's corner, to true."""
    h, w = (int(side * length + _EXACT) for side, length in zip(sides, cell, strict=True))
    top, left = (
        int(torch.randint(length - used + 1, (), generator=generator))
        for length, used in zip(cell, (h, w), strict=True)
    )
    mask[top : top + h, left : left + w] = True
