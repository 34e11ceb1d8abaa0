"""Dice, Jaccard and surface distances of one object in a volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Convention = Literal["medpy", "monai"]


class Overlap(NamedTuple):
    """How well a predicted object fits the true one; NaN where that is not defined.

    `dice` and `jaccard` are in [0, 1], and undefined where nobody sees the object. `hd95` and `asd`
    are in the unit of the spacing, and undefined where one of the two does not see it.
    """

    dice: float
    jaccard: float
    hd95: float
    asd: float


def overlap(
    prediction: Mask,
    truth: Mask,
    spacing: Sequence[float] | None = None,
    convention: Convention = "medpy",
) -> Overlap:
    """Compare two masks of the same shape.

    Args:
        spacing: Distance between two voxels along each axis; None: 1.
        convention: HD95 is the 95th percentile of the distances in both directions together
            ('medpy'), or the larger one of the two percentiles ('monai').
    """
    found, true = int(prediction.sum()), int(truth.sum())
    if not found + true:
        return Overlap(*[float("nan")] * 4)
    common = int((prediction & truth).sum())
    dice, jaccard = 2 * common / (found + true), common / (found + true - common)
    if not (found and true):
        return Overlap(dice, jaccard, float("nan"), float("nan"))
    to_truth, to_prediction = surface_distances(prediction, truth, spacing)
    if convention == "medpy":
        hd95 = np.percentile(np.hstack([to_truth, to_prediction]), 95)
    else:
        hd95 = max(np.percentile(to_truth, 95), np.percentile(to_prediction, 95))
    return Overlap(dice, jaccard, float(hd95), float(to_truth.mean()))


def surface_distances(
    first: Mask, second: Mask, spacing: Sequence[float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of each surface voxel to the nearest one of the other mask: first to second, back.

    Euclidean, between the centers of voxels. Neither mask may be empty.
    """
    from scipy import ndimage  # slow to import, and few need it

    area = _around(first | second)
    ours, theirs = surface(first[area]), surface(second[area])
    steps: Any = None if spacing is None else tuple(spacing)
    to_second = ndimage.distance_transform_edt(~theirs, sampling=steps)[ours]
    to_first = ndimage.distance_transform_edt(~ours, sampling=steps)[theirs]
    return to_second, to_first


def surface(mask: Mask) -> Mask:
    """Voxels of a mask with a neighbor along an axis that is not in it, or at the border."""
    from scipy import ndimage  # slow to import, and few need it

    inside: Mask = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(mask.ndim, 1))
    return mask & ~inside


def _around(mask: Mask) -> tuple[slice, ...]:
    """The smallest box around a mask: what lies outside of it changes no distance."""
    from scipy import ndimage  # slow to import, and few need it

    area: tuple[slice, ...] = ndimage.find_objects(mask.astype(np.uint8))[0]
    return area
