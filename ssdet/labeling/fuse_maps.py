"""Label maps of several sources for one image, fused into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..labels import IGNORE

MOST_CLASSES = 50  # of Dawid-Skene: a matrix of classes by classes for each source


def majority(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The label with the most weight in each pixel; 255 at a tie, and where nobody knows.

    Args:
        maps: Of the sources (S, H, W); 255 is no vote.
        weights: Of each source and label (S, C).
    """
    votes = np.zeros((weights.shape[1], *maps.shape[1:]))
    for said, weight in zip(maps, weights, strict=True):
        known = said != IGNORE
        rows, columns = np.nonzero(known)
        votes[said[known], rows, columns] += weight[said[known]]
    best = votes.argmax(0)
    first = np.take_along_axis(votes, best[None], 0)[0]
    tie = (np.abs(votes - first) < 1e-9).sum(0) > 1
    return np.where(tie | (first <= 0), IGNORE, best).astype(np.uint8)


def mean_probability(
    probabilities: Sequence[np.ndarray], weights: np.ndarray, min_score: float = 0.0
) -> np.ndarray:
    """The most probable label of the weighted mean of (C, H, W); 255 below `min_score`."""
    shares = weights / max(weights.sum(), 1e-12)
    mean = sum(share * one for share, one in zip(shares, probabilities, strict=True))
    mean = np.asarray(mean)
    return np.where(mean.max(0) < min_score, IGNORE, mean.argmax(0)).astype(np.uint8)


class DawidSkene:
    """How often each source says what where what is true, found without any truth.

    Dawid & Skene (1979): expectation and maximization of the confusion matrices of sources that err
    independently, from the labels that they gave the same items.

    Attributes:
        confusion: P(label | truth) of each source (S, C, C), one row for each truth.
        prior: Share of each class (C,).

    Args:
        sources: Their number.
        classes: Their number, 50 at most.
        smoothing: Added to each count.
    """

    def __init__(self, sources: int, classes: int, smoothing: float = 0.01) -> None:
        if not 2 <= classes <= MOST_CLASSES:
            raise ValueError(f"DawidSkene: classes={classes} is not in 2 ... {MOST_CLASSES}")
        if sources < 2:
            raise ValueError("DawidSkene: sources=1; it compares two or more, better three")
        self.smoothing = smoothing
        self.confusion = np.full((sources, classes, classes), 1 / classes)
        self.prior = np.full(classes, 1 / classes)

    def fit(self, labels: np.ndarray, counts: np.ndarray, rounds: int = 100) -> int:
        """Fit to items: labels (N, S), 255 unknown, each seen so many times (N,); rounds taken."""
        truth = self._votes(labels)
        for number in range(rounds):
            self._count(labels, counts, truth)
            before, truth = truth, self.posterior(labels)
            if np.abs(truth - before).max() < 1e-6:
                return number + 1
        return rounds

    def learn(self, labels: np.ndarray, counts: np.ndarray, truth: np.ndarray) -> None:
        """Count the confusions where the truth (N,) is known, instead of estimating them."""
        known = truth != IGNORE
        shares = np.eye(len(self.prior))[truth[known]]
        self._count(labels[known], counts[known], shares)

    def posterior(self, labels: np.ndarray) -> np.ndarray:
        """Probabilities of the classes (N, C) of items with these labels (N, S)."""
        logs = np.log(np.maximum(self.prior, 1e-12)) + np.zeros((len(labels), 1))
        for source, table in enumerate(np.log(np.maximum(self.confusion, 1e-12))):
            known = labels[:, source] != IGNORE
            logs[known] += table[:, labels[known, source]].T
        logs -= logs.max(1, keepdims=True)
        shares = np.exp(logs)
        return shares / shares.sum(1, keepdims=True)

    def _votes(self, labels: np.ndarray) -> np.ndarray:
        """Where it begins: the shares of the votes."""
        classes = len(self.prior)
        votes = np.stack([(labels == c).sum(1) for c in range(classes)], axis=1) + 1e-9
        return votes / votes.sum(1, keepdims=True)

    def _count(self, labels: np.ndarray, counts: np.ndarray, truth: np.ndarray) -> None:
        seen = truth * counts[:, None]
        # A class that the true maps do not show is rare, and not impossible.
        self.prior = seen.sum(0) + self.smoothing
        self.prior /= self.prior.sum()
        for source, table in enumerate(self.confusion):
            table[:] = self.smoothing
            known = labels[:, source] != IGNORE
            np.add.at(table.T, labels[known, source], seen[known])
            table /= table.sum(1, keepdims=True)


def patterns(maps: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What the sources say together (N, S), each combination once, and how often (N,).

    `maps` gives the maps (S, H, W) of one image after the other. There are few combinations,
    however many pixels there are.
    """
    found: dict[bytes, int] = {}
    for one in maps:
        columns = np.ascontiguousarray(one.reshape(len(one), -1).T)
        unique, counts = np.unique(columns, axis=0, return_counts=True)
        for row, count in zip(unique, counts.tolist(), strict=True):
            found[row.tobytes()] = found.get(row.tobytes(), 0) + count
    rows = [np.frombuffer(key, np.uint8) for key in found]
    return np.stack(rows).astype(int), np.array(list(found.values()), dtype=float)
