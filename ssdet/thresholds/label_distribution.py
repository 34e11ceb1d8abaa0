"""Thresholds that give pseudo labels the class distribution of the labels: LabelMatch's ACT."""

from __future__ import annotations

import torch
from torch import Tensor


def expected_counts(labels: Tensor, labeled: float, unlabeled: float) -> Tensor:
    """How many labels of each class (C,) are to be expected in this much unlabeled data.

    n_c = K * beta * r_c with K images without labels, beta labels for each labeled image, and the
    share r_c of class c. A class without a label counts as one label. For pixels, `labeled` and
    `unlabeled` are numbers of pixels.
    """
    return labels.cpu().clamp(min=1).double() * (unlabeled / max(labeled, 1))


def ranked_thresholds(
    scores: Tensor,
    labels: Tensor,
    counts: Tensor,
    shares: tuple[float, float] = (0.2, 1.0),
    *,
    floor: float = 0.05,
    default: float = 0.9,
) -> tuple[Tensor, Tensor]:
    """Thresholds (C,) above which floor(share * n_c) scores of class c lie, for two shares.

    Scores and labels (M,) are what the teacher found in the unlabeled images, n_c = counts[c].
    With fewer scores than that, the lowest one is the threshold; none is below `floor`. A class
    without a score gets `default`.
    """
    classes = len(counts)
    known = scores.isfinite() & (scores > 0) & (labels >= 0) & (labels < classes)
    scores, labels = scores[known], labels[known].long()
    order = scores.argsort(descending=True)
    order = order[labels[order].argsort(stable=True)]
    ranked = torch.cat([scores[order], scores.new_full((1,), default)])
    found = torch.bincount(labels, minlength=classes)
    starts = found.cumsum(0) - found

    def at(share: float) -> Tensor:
        rank = (counts * share).floor().long().to(found.device)
        place = starts + torch.minimum(rank, (found - 1).clamp(min=0))
        place = place.where(found > 0, len(ranked) - 1)
        return ranked[place].clamp(min=floor)

    return at(shares[0]), at(shares[1])
