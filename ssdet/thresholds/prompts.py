"""What a promptable model is asked about a label map, and which of its masks are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_NEIGHBORS = np.ones((3, 3), dtype=int)  # diagonal ones too
LARGER, LEAST = 0.05, 2.0  # a box is larger than its component by this share, and these pixels


@dataclass(frozen=True)
class Component:
    """A connected part of a class in a label map.

    Attributes:
        label: The class.
        mask: Its pixels (H, W).
        point: Its pixel (x, y) that is farthest from the outside.
        box: Corners x1, y1, x2, y2, a little larger than it.
    """

    label: int
    mask: Tensor
    point: tuple[int, int]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Acceptance:
    """When a mask of a promptable model is believed.

    Attributes:
        quality: The overlap that it predicts of itself is at least this.
        overlap: So is its IoU with the component that it was asked about.
        foreign: At most this share of it is surely of another class, the background aside.
        area: At most this share of the image is covered.
    """

    quality: float = 0.8
    overlap: float = 0.5
    foreign: float = 0.1
    area: float = 0.95


def components(
    labels: Tensor, sure: Tensor, *, background: int | None, min_area: int, most: int
) -> list[Component]:
    """The parts of all classes but the background, as far as they are sure; the largest of a class.

    Args:
        labels: Classes (H, W).
        sure: Which pixels (H, W) count.
        background: A class that is not asked about.
        min_area: Parts of fewer pixels are left out.
        most: Of each class, at most so many.
    """
    from scipy import ndimage  # slow to import, and few methods need it

    shown, counted = labels.cpu().numpy(), sure.cpu().numpy()
    found = []
    for label in np.unique(shown[counted]).tolist():
        if label == background:
            continue
        numbers, _ = ndimage.label((shown == label) & counted, structure=_NEIGHBORS)
        sizes = np.bincount(numbers.ravel())
        sizes[0] = 0
        order = np.argsort(-sizes, kind="stable")[:most]
        for number in order[sizes[order] >= max(min_area, 1)]:
            found.append(_described(int(label), numbers == number, labels.device))
    return found


def believed(
    masks: Tensor,
    quality: Tensor,
    found: Sequence[Component],
    labels: Tensor,
    sure: Tensor,
    *,
    background: int | None,
    limits: Acceptance,
) -> Tensor:
    """Which masks (P, H, W) of as many components, with their predicted quality, are believed."""
    if not found:
        return torch.zeros(0, dtype=torch.bool, device=masks.device)
    asked = torch.stack([one.mask for one in found]).to(masks.device)
    own = torch.tensor([one.label for one in found], device=masks.device)[:, None, None]
    area = masks.flatten(1).sum(1)
    both, either = (masks & asked).flatten(1).sum(1), (masks | asked).flatten(1).sum(1)
    other = sure & (labels != own)
    if background is not None:
        other = other & (labels != background)
    foreign = (masks & other).flatten(1).sum(1)
    return (
        (quality >= limits.quality)
        & (both >= limits.overlap * either)
        & (foreign <= limits.foreign * area)
        & (area <= limits.area * labels.numel())
        & (area > 0)
    )


def repainted(
    labels: Tensor,
    scores: Tensor,
    found: Sequence[Component],
    masks: Tensor,
    quality: Tensor,
    background: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels and scores with believed masks (P, H, W) in place of their components; what changed.

    A pixel of several masks belongs to that of the highest quality, which is its score. What a
    mask leaves of its component becomes background.
    """
    new, values = labels.clone(), scores.clone()
    for one in found:
        new[one.mask.to(new.device)] = background
    for number in quality.argsort(stable=True).tolist():
        new[masks[number]] = found[number].label
        values[masks[number]] = quality[number].to(values)
    return new, values, new != labels


def _described(label: int, mask: np.ndarray, device: torch.device) -> Component:
    from scipy import ndimage

    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(inside.argmax()), mask.shape)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    ends = [(int(line[0]), int(line[-1]) + 1) for line in (columns, rows)]
    (x1, x2), (y1, y2) = (
        _widened(*pair, size) for pair, size in zip(ends, mask.shape[::-1], strict=True)
    )
    shown = torch.from_numpy(mask).to(device)
    return Component(label, shown, (int(column), int(row)), (x1, y1, x2, y2))


def _widened(start: int, stop: int, size: int) -> tuple[float, float]:
    more = max(LARGER * (stop - start), LEAST)
    return max(start - more, 0.0), min(stop + more, float(size))
