"""What features of images say: which ones cover the others, which are foreign, what has shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CHUNK = 1024  # rows that are compared at a time
_DIRECTIONS = 16  # in which a distance of distributions is measured
_ROUNDS = 100


def unit(features: np.ndarray) -> np.ndarray:
    """Features (N, D) of length 1; zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, 1e-12)


def standardized(features: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Features in standard deviations of known ones, each direction by itself.

    A direction in which the known ones hardly differ has a hundredth of the largest deviation.

    >>> standardized(np.array([[4.0]]), np.array([[0.0], [2.0]]))
    array([[3.]])
    """
    deviations = known.std(0)
    return (features - known.mean(0)) / np.maximum(deviations, deviations.max() / 100 + 1e-12)


def k_center(
    features: np.ndarray,
    count: int,
    *,
    known: np.ndarray | None = None,
    priority: np.ndarray | None = None,
) -> tuple[list[int], list[float]]:
    """Rows that cover the features, and how far each was from all before it when it was chosen.

    Greedy k-center (Sener and Savarese, 2018): the next row is the one that is farthest from what
    is covered already, here times its `priority`. Without `known` rows the first one is the most
    typical: the nearest to the mean.

    >>> k_center(np.array([[0.0], [1.0], [5.0], [9.0]]), 2, known=np.array([[0.0]]))
    ([3, 2], [9.0, 4.0])
    """
    weight = np.ones(len(features)) if priority is None else np.asarray(priority, np.float64)
    chosen: list[int] = []
    distances: list[float] = []
    if known is not None and len(known):
        away = nearest(features, known)[0]
    else:
        from_mean = np.linalg.norm(features - features.mean(0), axis=1)
        away = np.full(len(features), from_mean.max() if len(features) else 0.0)
        if priority is None and len(features):
            away = away.max() + 1e-9 - from_mean  # the first choice only
    first = known is None or not len(known)
    free = np.ones(len(features), bool)
    for _ in range(min(count, len(features))):
        gain = np.where(free, away * weight, -1.0)
        # Where all that is left is covered, the priority decides.
        index = int(np.lexsort((weight, gain))[-1])
        chosen.append(index)
        distances.append(float("inf") if first and len(chosen) == 1 else float(away[index]))
        free[index] = False
        own = np.linalg.norm(features - features[index], axis=1)
        away = own if first and len(chosen) == 1 else np.minimum(away, own)
    return chosen, distances


def nearest(
    features: np.ndarray, known: np.ndarray, *, themselves: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest known row, and which it is.

    `themselves`: both are the same rows, and none is its own neighbor.
    """
    distances = np.empty(len(features))
    which = np.empty(len(features), np.int64)
    for start in range(0, len(features), _CHUNK):
        part = features[start : start + _CHUNK]
        squared = (part**2).sum(1)[:, None] + (known**2).sum(1) - 2 * part @ known.T
        if themselves:
            rows = np.arange(len(part))
            squared[rows, start + rows] = np.inf
        which[start : start + _CHUNK] = squared.argmin(1)
        least = np.maximum(squared.min(1), 0.0)
        distances[start : start + _CHUNK] = np.sqrt(least)
    return distances, which


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared distance of two normal distributions, fitted to features (N, D) and (M, D).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^0.5), as in the Frechet Inception Distance.

    >>> frechet_distance(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]]))  # 3^2 + (2 - 1)^2
    10.0
    """
    between = first.mean(0) - second.mean(0)
    one, other = (np.cov(part, rowvar=False, bias=True).reshape(part.shape[1], -1)
                  for part in (first, second))  # fmt: skip
    root = _root(one)
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0.0)).sum()
    found = between @ between + np.trace(one) + np.trace(other) - 2 * common
    return float(max(found, 0.0))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


@dataclass(frozen=True)
class Shift:
    """How far two sets of features are apart.

    Attributes:
        distance: Their Frechet distance.
        by_chance: The same of random parts of the two together, of the same sizes: the mean.
        share: How many of the random parts are as far apart or farther; 0.05 and less is a shift.
    """

    distance: float
    by_chance: float
    share: float


def shift(first: np.ndarray, second: np.ndarray, seed: int = 0) -> Shift:
    """The distance of two sets in their 16 main directions, and what chance alone would give."""
    every = np.concatenate([first, second]).astype(np.float64)
    centered = every - every.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    flat = centered @ vectors[:, np.argsort(values)[::-1][:_DIRECTIONS]]
    found = frechet_distance(flat[: len(first)], flat[len(first) :])
    draw = np.random.default_rng(seed)
    others = []
    for _ in range(_ROUNDS):
        order = draw.permutation(len(flat))
        others.append(frechet_distance(flat[order[: len(first)]], flat[order[len(first) :]]))
    as_far = (np.array(others) >= found).sum() + 1
    return Shift(found, float(np.mean(others)), float(as_far / (_ROUNDS + 1)))
