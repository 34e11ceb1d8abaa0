"""Reliable ones among uncertain boxes, as proposals or as costs of the matching tell."""

import math

import torch
from torch import Tensor

from .gmm import fit_mixtures

FLOOR = 1e-5  # of the variances of costs


def mined(
    owners: Tensor, count: int, overlaps: Tensor, scores: Tensor, *, iou: float, score: float
) -> Tensor:
    """Which of `count` boxes are reliable after all (LabelMatch, CVPR 2022): a mask.

    Args:
        owners: The box (S,) that each proposal is assigned to.
        count: How many boxes there are.
        overlaps: IoU (S,) of each proposal, as the teacher refines it, with its box.
        scores: The teacher's probability (S,) of the box's class at each proposal.
        iou, score: The mean over the proposals of a box has to reach both.
    """
    proposals = torch.bincount(owners, minlength=count)

    def means(values: Tensor) -> Tensor:
        total = values.new_zeros(count).index_add(0, owners, values)
        return total / proposals.clamp(min=1)

    return (proposals > 0) & (means(overlaps) >= iou) & (means(scores) >= score)


def cost_limit(costs: Tensor) -> Tensor:
    """Up to which cost of its match a box is reliable (Semi-DETR, CVPR 2023).

    Costs (N,) are a mixture of two Gaussians. The limit is the cost of the lower one that the
    mixture finds most likely; of the upper one, if the lower one has none. One cost is its own
    limit, and without any it is 0.
    """
    if len(costs) < 2:
        return costs.sum()
    rows = costs[None].float()
    fitted = fit_mixtures(rows, torch.ones_like(rows, dtype=torch.bool), floor=FLOOR)
    lower = fitted.log_odds <= 0
    lower = torch.where(lower.any(), lower, ~lower)
    return costs[fitted.log_likelihood.where(lower, -math.inf).argmax()]
