"""How much the labels of the teacher for an image can be relied on, and how rare they are.

The three criteria are inspired by ACTRESS (2024): faithfulness, robustness, confidence. What it
reads from attention maps is measured here by trying, so that it works for any model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes (N, 4) and (M, 4), as (N, M).

    >>> ious(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 5], [5, 0, 15, 10]])).round(2)
    array([[0.5 , 0.33]])
    """
    inside = _overlap(first, second)
    either = _area(first)[:, None] + _area(second) - inside
    return inside / np.maximum(either, 1e-12)


def covered(boxes: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The largest share of each box that one of others covers; 0 where there are none."""
    if not len(by) or not len(boxes):
        return np.zeros(len(boxes))
    return _overlap(boxes, by).max(1) / np.maximum(_area(boxes), 1e-12)


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.maximum(high - low, 0.0).prod(-1)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0).prod(-1)


def found_again(
    boxes: np.ndarray, labels: np.ndarray, others: np.ndarray, their_labels: np.ndarray
) -> np.ndarray:
    """For each box the IoU of the best other box of its class; 0 where there is none."""
    if not len(others) or not len(boxes):
        return np.zeros(len(boxes))
    same = labels[:, None] == their_labels
    return np.where(same, ious(boxes, others), 0.0).max(1)


def robustness(again: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of `found_again` over changed views of the image.

    >>> robustness([np.array([0.8]), np.array([0.6])])
    array([0.7])
    """
    return np.mean(again, axis=0)


def doubt(*criteria: np.ndarray) -> float:
    """1 - the mean over objects of the product of the criteria; 1 where nothing was found.

    >>> doubt(np.array([1.0, 0.5]), np.array([0.5, 1.0]), np.array([1.0, 0.2])).__round__(3)
    0.7
    """
    if not len(criteria[0]):
        return 1.0
    return float(1.0 - np.prod(criteria, axis=0).mean())


def rarity_weights(counts: Sequence[int]) -> np.ndarray:
    """How rare each class is among the labels: 0 for the most frequent one, 1 for none at all.

    1 - log(1 + n) / log(1 + largest n), so that ten labels of a hundred still count as half.

    >>> rarity_weights([99, 9, 0])
    array([0. , 0.5, 1. ])
    """
    logarithms = np.log1p(np.asarray(counts, np.float64))
    most = logarithms.max() if len(logarithms) else 0.0
    return 1.0 - logarithms / most if most > 0 else np.zeros(len(logarithms))


def rarity(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """How likely an image shows something rare: 1 - product of (1 - weight * score).

    >>> rarity(np.array([1, 1, 0]), np.array([0.8, 0.5, 0.9]), np.array([0.0, 0.5]))
    0.55
    """
    return float(1.0 - np.prod(1.0 - weights[labels] * scores))


def visible(
    size: tuple[int, int], boxes: np.ndarray, margin: float = 0.25, least: float = 4.0
) -> np.ndarray:
    """Where (H, W) an image stays visible: in boxes, and a margin of their sides around them.

    An object that the teacher finds for what is in its box is found there again.
    """
    shown = np.zeros(size, bool)
    for x1, y1, x2, y2 in boxes:
        dx, dy = max(margin * (x2 - x1), least), max(margin * (y2 - y1), least)
        left, top = max(int(x1 - dx), 0), max(int(y1 - dy), 0)
        shown[top : int(np.ceil(y2 + dy)), left : int(np.ceil(x2 + dx))] = True
    return shown
