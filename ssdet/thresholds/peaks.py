"""The highest score of each class, and their mean."""

from __future__ import annotations

import torch
from torch import Tensor


def class_peaks(scores: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The highest score (C,) of each class, 0 where it has no label; both given flat (M,).

    Labels outside of the classes (255, nothing) and scores that are not finite are left out.
    """
    known = scores.isfinite() & (labels >= 0) & (labels < classes)
    row = labels.long().where(known, classes)
    peaks = scores.new_zeros(classes + 1)
    return peaks.scatter_reduce(0, row, scores.where(known, 0.0), "amax")[:classes]


def mean_peak(peaks: Tensor) -> Tensor:
    """The mean over the classes that are present; NaN if none is."""
    return peaks.sum() / (peaks > 0).sum()


def moved_threshold(threshold: Tensor, peaks: Tensor, momentum: float) -> Tensor:
    """The threshold after one more batch: CorrMatch's average; unchanged if no class is present."""
    mean = mean_peak(peaks)
    return torch.lerp(mean, threshold, momentum).where(mean.isfinite(), threshold)
