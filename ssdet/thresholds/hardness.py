"""How well two predictions of an image agree, weighted by how sure they are (iMAS)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Version = Literal["mean", "weighted"]


def weighted_iou(
    one: Tensor, other: Tensor, valid: Tensor, classes: int, background: int | None = None
) -> Tensor:
    """IoU of label maps (B, H, W) for each image (B,), weighted by the classes' share of `other`.

    The class `background` has no weight; an image in which `other` shows nothing else has the share
    of pixels on which both agree.
    """
    images = torch.arange(len(one), device=one.device).view(-1, 1, 1)
    known = valid & (one < classes) & (other < classes)
    pairs = (images * classes + other) * classes + one
    counted = torch.bincount(pairs[known], minlength=len(one) * classes**2)
    table = counted.view(-1, classes, classes).float()  # (B, class of other, class of one)
    both, of_other, of_one = table.diagonal(dim1=1, dim2=2), table.sum(2), table.sum(1)
    iou = both / (of_other + of_one - both).clamp(min=1)
    weights = of_other.clone()
    if background is not None:
        weights[:, background] = 0.0
    total = weights.sum(1)
    agreement = both.sum(1) / of_other.sum(1).clamp(min=1)
    return torch.where(total > 0, (iou * weights).sum(1) / total.clamp(min=1), agreement)


def ease(
    teacher: tuple[Tensor, Tensor],
    student: tuple[Tensor, Tensor],
    valid: Tensor,
    *,
    classes: int,
    score: float,
    version: Version = "mean",
    background: int | None = None,
) -> Tensor:
    """How easy each image (B,) is: 1 where teacher and student agree and both are sure.

    Args:
        teacher, student: Labels and scores (B, H, W) of each.
        valid: Which pixels count.
        classes: How many there are.
        score: From which score on a pixel is sure.
        version: "mean": half of the sum of both IoUs, each times the share of sure pixels of the
            map that weighs it; "weighted": their mean with these shares as weights.
        background: A class that has no weight.
    """
    (labels, scores), (others, other_scores) = teacher, student
    pixels = valid.sum((1, 2)).clamp(min=1)
    sure = ((scores >= score) & valid).sum((1, 2)) / pixels
    other_sure = ((other_scores >= score) & valid).sum((1, 2)) / pixels
    first = weighted_iou(others, labels, valid, classes, background)
    second = weighted_iou(labels, others, valid, classes, background)
    total = sure * first + other_sure * second
    return total / 2 if version == "mean" else total / (sure + other_sure).clamp(min=1e-6)
