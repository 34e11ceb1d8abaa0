"""How good labels with scores are, in one number for each class."""

from __future__ import annotations

import torch
from torch import Tensor


def average_precision(scores: Tensor, right: Tensor, truths: float) -> float:
    """The area under precision over recall of labels (N,), of which `truths` could be right.

    The precision at a recall is the best one at that recall or a higher one.
    """
    if truths <= 0:
        raise ValueError("average_precision: truths is not above 0")
    hits = right[scores.argsort(descending=True, stable=True)].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)
    return float((best * hits).sum()) / truths


def mean_average_precision(scores: Tensor, labels: Tensor, right: Tensor, truths: Tensor) -> float:
    """The mean over the classes with a truth; `truths` (C,) counts them."""
    found = [
        average_precision(scores[labels == kind], right[labels == kind], count)
        for kind, count in enumerate(truths.tolist())
        if count > 0
    ]
    return sum(found) / len(found) if found else 0.0
