"""How the features of a class are spread, and how those of a rare class would be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClassGaussians:
    """Normal distributions of the features of each class.

    Attributes:
        means: (C, D).
        covariances: (C, D, D).
        counts: Features (C,) that each was fitted to.
    """

    means: Tensor
    covariances: Tensor
    counts: Tensor

    @classmethod
    def fit(cls, features: Tensor, labels: Tensor, classes: int) -> ClassGaussians:
        """Of features (N, D) with labels (N,); a class without any has zeros."""
        features, width = features.double(), features.shape[1]
        means, spreads = (
            features.new_zeros(classes, width),
            features.new_zeros(classes, width, width),
        )
        counts = torch.bincount(labels, minlength=classes)
        for number in counts.nonzero()[:, 0].tolist():
            own = features[labels == number]
            means[number] = own.mean(0)
            centered = own - means[number]
            spreads[number] = centered.T @ centered / len(own)
        return cls(means, spreads, counts)

    def calibrated(self, enough: int, *, neighbors: int = 2, share: float = 0.2) -> ClassGaussians:
        """Classes with fewer than `enough` features take the spread of the nearest others.

        Their covariance is the mean of those of the nearest frequent classes; their mean moves by
        `share` towards the mean of these. Frequent classes, and those without a feature, stay.
        """
        frequent = (self.counts >= enough).nonzero()[:, 0]
        means, covariances = self.means.clone(), self.covariances.clone()
        rare = ((self.counts > 0) & (self.counts < enough)).nonzero()[:, 0]
        if len(frequent):
            for number in rare.tolist():
                away = (self.means[frequent] - self.means[number]).norm(dim=1)
                near = frequent[away.argsort()[:neighbors]]
                means[number] += share * (self.means[near].mean(0) - self.means[number])
                covariances[number] = self.covariances[near].mean(0)
        return ClassGaussians(means, covariances, self.counts)

    def draw(self, number: int, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Features (count, D) of a class."""
        values, vectors = torch.linalg.eigh(self.covariances[number])
        spread = vectors * values.clamp(min=0).sqrt()
        noise = torch.randn(count, len(values), dtype=spread.dtype, generator=generator)
        return self.means[number] + noise @ spread.T
