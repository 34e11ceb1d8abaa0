"""Reliable ones among uncertain boxes: those on which the teacher's proposals agree."""

import torch
from torch import Tensor


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
