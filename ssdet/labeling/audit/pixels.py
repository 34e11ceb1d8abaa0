"""Regions of label maps that a segmentor contradicts."""

from __future__ import annotations

import cv2
import numpy as np

from ...labels import IGNORE
from .boxes import Suspect

_BORDER = 128  # an edge is blurred over a part of the longer side; it is at least a pixel wide


def contradiction(given: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much more probable another class is than the given one (H, W), and which class.

    Probabilities are (C, H, W). It is 0 where the given class is the most probable, and where
    nothing was labeled (255).

    >>> given = np.array([[0, 0, 255]])
    >>> contradiction(given, np.array([[[0.9, 0.2, 0.1]], [[0.1, 0.8, 0.9]]]))[0].round(1)
    array([[0. , 0.6, 0. ]])
    """
    known = (given != IGNORE) & (given < len(probabilities))
    labels = np.where(known, given, 0)
    own = np.take_along_axis(probabilities, labels[None], 0)[0]
    suggested = probabilities.argmax(0)
    margin = np.where(known, probabilities.max(0) - own, 0.0)
    return np.maximum(margin, 0.0), suggested


def regions(given: np.ndarray, probabilities: np.ndarray, least: float = 0.1) -> list[Suspect]:
    """Connected regions in which one class was given and another one is more probable.

    Thin lines along the borders of objects are left out. The score is the mean contradiction;
    `number` is the size in pixels.
    """
    margin, suggested = contradiction(given, probabilities)
    side = 1 + 2 * max(1, round(max(given.shape) / _BORDER / 2))
    kernel = np.ones((side, side), np.uint8)
    doubted = margin > least
    result = []
    pairs = np.unique(given[doubted].astype(np.int64) * 1000 + suggested[doubted])
    for old, new in (divmod(int(pair), 1000) for pair in pairs):
        mask = (doubted & (given == old) & (suggested == new)).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
        count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for number in range(1, count):
            left, top, width, height, size = (int(value) for value in boxes[number])
            inside = parts == number
            own = inside[top : top + height, left : left + width]
            box = (float(left), float(top), float(left + width), float(top + height))
            score = float(margin[inside].mean())
            found = Suspect("region", score, old, new, box, number=size)
            found.mask = own
            result.append(found)
    return result


def contradicted(given: np.ndarray, probabilities: np.ndarray, classes: int) -> np.ndarray:
    """Pixels by given class (rows) and most probable class (columns)."""
    known = (given != IGNORE) & (given < classes)
    pairs = given[known].astype(np.int64) * classes + probabilities.argmax(0)[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
