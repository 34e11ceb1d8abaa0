"""How far labels of another source can be believed, measured against labels that are known."""

from __future__ import annotations

import torch
from torch import Tensor


def shrunken(right: Tensor, total: Tensor, *, strength: float = 4.0, prior: float = 0.5) -> Tensor:
    """Precision (C, B) from counts (C, B) of classes and score bins: right ones, and all.

    What was seldom seen takes over the precision of its class, and a class that of all classes:
    each level counts as `strength` further observations. Without any count it is `prior`. A single
    bin is the class itself.
    """
    overall = (right.sum() + strength * prior) / (total.sum() + strength)
    of_class = (right.sum(1) + strength * overall) / (total.sum(1) + strength)
    if right.shape[1] == 1:
        return of_class[:, None]
    return (right + strength * of_class[:, None]) / (total + strength)


def bin_of(scores: Tensor, bins: int) -> Tensor:
    """The bin of each score in [0, 1]; a score of 1 is in the last one."""
    return (scores * bins).long().clamp(0, bins - 1)


def pooled(source: Tensor, teacher: Tensor, found: float | Tensor) -> Tensor:
    """Probability that a box is right, from its source's precision and the teacher's score.

    `found` is the share of the source's right boxes that the teacher finds. The teacher's share in
    the mean is found / (1 + found): 0 for a teacher that finds nothing, so that its silence tells
    nothing, and a half for one that finds all (MarvelOVD's mean of both).
    """
    share = torch.as_tensor(found, dtype=source.dtype, device=source.device)
    share = share / (1 + share)
    return (1 - share) * source + share * teacher


def likelihoods(counts: Tensor, strength: float = 0.05) -> Tensor:
    """P(label of the source | true class) from counts (C, E): true classes, labels of the source.

    Each row is drawn to the share of the labels in all rows, by `strength` further observations. So
    a class without a count says nothing about the label, and neither does a source that is
    independent of the truth: all its rows are equal.
    """
    total = counts.sum()
    labels = counts.shape[1]
    share = counts.sum(0) / total if total > 0 else counts.new_full((labels,), 1 / labels)
    return (counts + strength * share) / (counts.sum(1, keepdim=True) + strength)


def posterior(probabilities: Tensor, labels: Tensor, likelihood: Tensor) -> Tensor:
    """Probabilities (B, C, H, W) after a source has said its labels (B, H, W), by Bayes' rule.

    Labels outside of the columns of `likelihood` (C, E) are unknown and change nothing.
    """
    known = (labels >= 0) & (labels < likelihood.shape[1])
    said = likelihood[:, labels.where(known, 0)].movedim(0, 1)  # (B, C, H, W)
    updated = probabilities * said.to(probabilities)
    updated = updated / updated.sum(1, keepdim=True).clamp(min=1e-12)
    return updated.where(known[:, None], probabilities)
