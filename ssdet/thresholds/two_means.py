"""Two thresholds from one pool of values, by two-means; and the levels that they make (HSSDA)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Pair = tuple[float, float]
Fallback = Literal["default", "global_pool", "mean_of_classes"]
# A center of 0.92 that float32 made 0.9199999 must not be cut to 0.91.
_ROUNDING = 1e-4


def two_means(values: Tensor) -> Pair:
    """The centers (high, low) of the best two clusters of the values (n,), n >= 1.

    The exact optimum: two clusters on a line are a split of the sorted values, and the one with
    the least squares within has the most between, S_l^2 / n_l + S_r^2 / n_r with the sums S of the
    values less their mean. If all values are equal, so are the centers.
    """
    ordered = values.detach().double().flatten().sort().values
    if ordered[0] == ordered[-1]:
        return float(ordered[0]), float(ordered[0])
    mean, count = ordered.mean(), len(ordered)
    left = (ordered - mean).cumsum(0)[:-1]
    sizes = torch.arange(1, count, device=ordered.device)
    # The sums on both sides of a split are opposite numbers, since the mean is taken off.
    between = left.square() * (1 / sizes + 1 / (count - sizes))
    split = int(between.argmax()) + 1
    return float(ordered[split:].mean()), float(ordered[:split].mean())


def truncate(value: float, decimals: int = 2) -> float:
    """Cut off (do not round) after this many decimals: 0.926 -> 0.92."""
    scale = 10**decimals
    return math.floor(value * scale + _ROUNDING) / scale


@dataclass(frozen=True)
class DualThreshold:
    """How a pair (high, low) of thresholds is fitted to a pool of values.

    Attributes:
        default: The pair of a pool with fewer than `min_samples` (finite) values.
        min_samples: See `default`.
        decimals: The centers are truncated to this many decimals; None: they are not truncated.
        clip: Bounds of both thresholds.
        momentum: Share of the pair before that is kept.
    """

    default: Pair = (0.99, 0.99)
    min_samples: int = 3
    decimals: int | None = 2
    clip: Pair = (0.0, 1.0)
    momentum: float = 0.0

    def fit(self, values: Tensor, previous: Pair | None = None) -> Pair:
        """(high, low) of a pool."""
        values = values[values.isfinite()]
        if len(values) < self.min_samples:
            return self.default
        pair = two_means(values)
        if self.decimals is not None:
            pair = (truncate(pair[0], self.decimals), truncate(pair[1], self.decimals))
        high, low = (min(max(value, self.clip[0]), self.clip[1]) for value in pair)
        if previous is None:
            return high, low
        kept = self.momentum
        return kept * previous[0] + (1 - kept) * high, kept * previous[1] + (1 - kept) * low

    def fit_classes(
        self,
        pools: Sequence[Tensor],
        previous: Tensor | None = None,
        fallback: Fallback = "default",
    ) -> Tensor:
        """(C, 2): high and low of each class, `previous` is the table before.

        A class with too few values takes, by `fallback`, the default pair, the pair of all values
        of all classes ("global_pool"), or the mean pair of the other classes ("mean_of_classes");
        the default pair again where these have too few themselves.
        """
        enough = [int(pool.isfinite().sum()) >= self.min_samples for pool in pools]
        before = [None] * len(pools) if previous is None else [tuple(p) for p in previous.tolist()]
        fitted = [self.fit(pool, old) for pool, old in zip(pools, before, strict=True)]
        if not all(enough):
            other = self._other(pools, [p for p, own in zip(fitted, enough, strict=True) if own])
            spare = self.default if fallback == "default" else other[fallback]
            fitted = [p if own else spare for p, own in zip(fitted, enough, strict=True)]
        return torch.tensor(fitted, dtype=torch.float32).reshape(-1, 2)

    def _other(self, pools: Sequence[Tensor], fitted: list[Pair]) -> Mapping[str, Pair]:
        """The fallback pairs for a class with too few values."""
        together = self.fit(torch.cat([pool.flatten() for pool in pools]))
        high, low = zip(*fitted, strict=True) if fitted else ((), ())
        mean = (sum(high) / len(high), sum(low) / len(low)) if fitted else self.default
        return {"global_pool": together, "mean_of_classes": mean}


def levels(values: Sequence[Tensor], high: Sequence[Tensor], low: Sequence[Tensor]) -> Tensor:
    """2 where each criterion is above its high threshold, else 1 above its low one, else 0.

    Criteria and thresholds have the same shape; a value that is not a number is above nothing.
    """
    surely = perhaps = torch.ones_like(values[0], dtype=torch.bool)
    for value, upper, lower in zip(values, high, low, strict=True):
        surely = surely & (value > upper)
        perhaps = perhaps & (value > lower)
    return surely.long() + perhaps.long()
