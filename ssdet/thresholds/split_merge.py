"""How many groups features form: clusters are split and merged where that makes them more likely.

GPC (Zhao et al., ICCV 2023), whose features, learned at the same time, are not here. Features of
known classes stay where they are, so that what remains are groups of no known class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

LEAST = 6  # features of a side; a group is not split into smaller ones
_STEPS = 100  # of k-means
Change = tuple[Literal["split", "merge"], int, int]


@dataclass(frozen=True)
class Prior:
    """What a group looks like before its features are seen: normal-inverse-Wishart.

    Attributes:
        mean: (D,).
        scatter: (D, D); the expected covariance times (degrees - D - 1).
        strength: Features that the mean is worth.
        degrees: Features that the covariance is worth; above D - 1.
    """

    mean: Tensor
    scatter: Tensor
    strength: float
    degrees: float

    @classmethod
    def of(cls, features: Tensor, share: float = 0.05, strength: float = 1e-4) -> Prior:
        """Groups that are round, with `share` of the mean variance of all features (N, D)."""
        width = features.shape[1]
        variance = features.var(0, correction=0).mean().clamp(min=1e-12)
        scatter = torch.eye(width).to(features) * variance * share
        return cls(features.mean(0), scatter, strength, width + 2.0)

    def log_likelihood(self, features: Tensor) -> float:
        """Of a group (N, D), over all means and covariances."""
        count, width = features.shape
        center = features.mean(0)
        centered, away = features - center, (center - self.mean)[:, None]
        strength, degrees = self.strength + count, self.degrees + count
        pull = self.strength * count / strength
        scatter = self.scatter + centered.T @ centered + pull * away @ away.T
        half = torch.tensor([degrees, self.degrees], dtype=features.dtype) / 2
        gamma = torch.special.multigammaln(half, width)
        return float(
            gamma[0]
            - gamma[1]
            - count * width / 2 * math.log(math.pi)
            + self.degrees / 2 * torch.logdet(self.scatter)
            - degrees / 2 * torch.logdet(scatter)
            + width / 2 * math.log(self.strength / strength)
        )


def split_gain(prior: Prior, one: Tensor, other: Tensor) -> float:
    """Log ratio of two groups to one of both; above 0 they are better apart.

    Of Hastings' ratio without its random acceptance, with a concentration of 1.
    """
    whole = torch.cat([one, other])
    sizes = math.lgamma(len(one)) + math.lgamma(len(other)) - math.lgamma(len(whole))
    apart = prior.log_likelihood(one) + prior.log_likelihood(other)
    return sizes + apart - prior.log_likelihood(whole)


@dataclass(frozen=True)
class Groups:
    """Groups of features.

    Attributes:
        labels: The group (N,) of each feature; the first ones are the known classes.
        centers: Their means (K, D).
        steps: What was done: ("split", groups before, groups after) or ("merge", ...).
    """

    labels: Tensor
    centers: Tensor
    steps: list[Change]


def split_merge(
    features: Tensor,
    known: Tensor | None = None,
    *,
    start: int = 1,
    rounds: int = 30,
    prior: Prior | None = None,
    seed: int = 0,
) -> Groups:
    """Group features, and find out into how many groups.

    In each round every feature goes to the nearest center (k-means, where those of a known class
    stay); then each group without a known class is split in two, if that makes it more likely;
    and of the others, each is merged with its nearest one, if that does. It ends when neither does.

    Args:
        features: (N, D).
        known: The class (N,) of each feature, -1 where it is to be found. Classes are 0 to K - 1.
        start: Groups beside the known classes that it starts from.
        rounds: At most.
        prior: None: `Prior.of(features)`.
        seed: Of the groups at the start.

    Examples:
        >>> places = torch.linspace(0, 0.1, 20)[:, None]
        >>> split_merge(torch.cat([places, places + 1])).labels.unique(return_counts=True)
        (tensor([0, 1]), tensor([20, 20]))
    """
    features = features.double()
    known = torch.full((len(features),), -1) if known is None else known.cpu()
    prior = prior or Prior.of(features)
    classes = len(known[known >= 0].unique())
    if classes and int(known.max()) != classes - 1:
        raise ValueError("split_merge: known classes must be 0 to K - 1, each with a feature")
    centers = torch.stack([
        *(features[known == number].mean(0) for number in range(classes)),
        *_drawn(features[known < 0], start, seed),
    ])  # fmt: skip
    steps: list[Change] = []
    for _ in range(rounds):
        labels, centers = k_means(features, centers, known)
        groups = [features[labels == number] for number in range(len(centers))]
        after = _changed(prior, groups, centers, classes, steps)
        if after is None:
            break
        centers = after
    labels, centers = k_means(features, centers, known)
    return Groups(labels, centers, steps)


def k_means(
    features: Tensor, centers: Tensor, known: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The nearest center (N,) of each feature, and the centers (K, D); an empty group vanishes.

    Features of a `known` class (above -1) stay with the center of that number.
    """
    labels = torch.empty(0, dtype=torch.long)
    for _ in range(_STEPS):
        before, labels = labels, torch.cdist(features, centers).argmin(1)
        if known is not None:
            labels = torch.where(known >= 0, known, labels)
        there = labels.unique()
        labels = torch.searchsorted(there, labels)  # known classes are there, and keep their places
        centers = torch.stack([features[labels == number].mean(0) for number in range(len(there))])
        if labels.equal(before):
            break
    return labels, centers


def halves(features: Tensor) -> tuple[Tensor, Tensor]:
    """A group (N, D) in two: k-means from both sides of its mean, along its longest direction."""
    center = features.mean(0)
    centered = features - center
    values, vectors = torch.linalg.eigh(centered.T @ centered / len(features))
    away = vectors[:, -1] * values[-1].clamp(min=0).sqrt()
    labels, _ = k_means(features, torch.stack([center - away, center + away]))
    return features[labels == 0], features[labels == 1]


def reduced(features: Tensor, width: int) -> Tensor:
    """Directions of features (N, D) in their `width` main components."""
    unit = torch.nn.functional.normalize(features.double(), dim=1)
    centered = unit - unit.mean(0)
    _, vectors = torch.linalg.eigh(centered.T @ centered)
    return centered @ vectors[:, -width:]


def _drawn(features: Tensor, count: int, seed: int) -> list[Tensor]:
    """That many features as centers, each probably far from those before (k-means++)."""
    generator = torch.Generator().manual_seed(seed)
    if not len(features) or count < 1:
        return []
    chosen = [features.mean(0)] if count == 1 else [features[_row(generator, len(features))]]
    for _ in range(min(count, len(features)) - 1):
        away = torch.cdist(features, torch.stack(chosen)).amin(1) ** 2
        if not bool(away.any()):
            break
        chosen.append(features[torch.multinomial(away.cpu(), 1, generator=generator)[0]])
    return chosen


def _row(generator: torch.Generator, count: int) -> int:
    return int(torch.randint(count, (), generator=generator))


def _changed(
    prior: Prior,
    groups: Sequence[Tensor],
    centers: Tensor,
    classes: int,
    steps: list[Change],
) -> Tensor | None:
    """New centers after splits and merges; None where nothing changes."""
    new: list[Tensor] = []
    whole: list[int] = []
    for number in range(classes, len(groups)):
        found = _split(prior, groups[number])
        new += found
        whole += [] if found else [number]
    if new:
        steps.append(("split", len(centers), len(centers) + len(new) // 2))
    merged = _merged(prior, groups, centers, whole)
    pairs = [pair for pair in merged if len(pair) == 2]
    if pairs:
        steps.append(("merge", len(centers), len(centers) - len(pairs)))
    if not new and not pairs:
        return None
    rest = [torch.cat([groups[number] for number in members]).mean(0) for members in merged]
    return torch.stack([*centers[:classes], *new, *rest])


def _split(prior: Prior, group: Tensor) -> list[Tensor]:
    """The centers of both halves, if the group is better apart."""
    if len(group) < 2 * LEAST:
        return []
    one, other = halves(group)
    if min(len(one), len(other)) < LEAST or split_gain(prior, one, other) <= 0:
        return []
    return [one.mean(0), other.mean(0)]


def _merged(
    prior: Prior, groups: Sequence[Tensor], centers: Tensor, whole: Sequence[int]
) -> list[tuple[int, ...]]:
    """Groups as they are, and pairs of nearest ones that are better as one."""
    free = list(whole)
    found: list[tuple[int, ...]] = []
    while free:
        number = free.pop(0)
        away = (centers[free] - centers[number]).norm(dim=1)
        near = free[int(away.argmin())] if free else None
        if near is not None and split_gain(prior, groups[number], groups[near]) < 0:
            free.remove(near)
            found.append((number, near))
        else:
            found.append((number,))
    return found
