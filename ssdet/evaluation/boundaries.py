"""Boundary F-score of label maps: are the outlines in the right places?"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..labels import IGNORE

Mask = NDArray[np.bool_]


class BoundaryCounts(NamedTuple):
    """Edge pixels of each class (int64 arrays), summed over images with `+` field by field.

    `hit` are predicted edge pixels with a true one within the tolerance, `found` true ones with a
    predicted one within it: precision is hit / predicted, recall is found / true.
    """

    hit: NDArray[np.int64]
    predicted: NDArray[np.int64]
    found: NDArray[np.int64]
    true: NDArray[np.int64]


def boundary_counts(
    prediction: NDArray[np.int64],
    truth: NDArray[np.int64],
    *,
    classes: int,
    tolerance: float,
    ignore: int = IGNORE,
) -> BoundaryCounts:
    """Compare the outlines of each class in two label maps (H, W).

    Args:
        tolerance: Distance (Euclidean, between pixel centers) at which an edge pixel still counts
            as right: below 1 a share of the image's diagonal, rounded to pixels and at least 1;
            else pixels.
        ignore: Label of pixels that do not count; there is no edge between them and others.
    """
    counts = BoundaryCounts(*np.zeros((4, classes), dtype=np.int64))
    diagonal = float(np.hypot(truth.shape[0], truth.shape[1]))
    limit = max(1.0, round(tolerance * diagonal)) if tolerance < 1 else tolerance
    judged = truth != ignore
    present = np.union1d(np.unique(truth[judged]), np.unique(prediction[judged]))
    for label in present[present < classes]:
        ours = mask_edge(prediction == label, judged)
        theirs = mask_edge(truth == label, judged)
        ours, theirs = _around(ours, theirs)
        counts.hit[label] += int((ours & _within(theirs, limit)).sum())
        counts.found[label] += int((theirs & _within(ours, limit)).sum())
        counts.predicted[label] += int(ours.sum())
        counts.true[label] += int(theirs.sum())
    return counts


def mask_edge(mask: Mask, judged: Mask) -> Mask:
    """Pixels of a mask with a counted pixel beside or above or below them that is not in it.

    The border of the image is no edge, nor is that of a region that does not count.
    """
    inside, outside = mask & judged, ~mask & judged
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] & outside[:-1]
    edge[:-1] |= inside[:-1] & outside[1:]
    edge[:, 1:] |= inside[:, 1:] & outside[:, :-1]
    edge[:, :-1] |= inside[:, :-1] & outside[:, 1:]
    return edge


def f_score(counts: BoundaryCounts) -> NDArray[np.float64]:
    """2 P R / (P + R) of each class; NaN where neither map has an edge of it, 0 if one has none."""
    precision = counts.hit / np.maximum(counts.predicted, 1)
    recall = counts.found / np.maximum(counts.true, 1)
    score = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return np.where(counts.predicted + counts.true > 0, score, np.nan)


def _within(edge: Mask, limit: float) -> Mask:
    """Where an edge is not farther away than the limit."""
    if not edge.any():
        return edge
    distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near: Mask = distance <= limit + 1e-4
    return near


def _around(first: Mask, second: Mask) -> tuple[Mask, Mask]:
    """Both masks cut to what either shows: most classes cover a small part of an image."""
    rows = np.flatnonzero((first | second).any(1))
    columns = np.flatnonzero((first | second).any(0))
    if not len(rows):
        return first[:0], second[:0]
    area = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return first[area], second[area]
