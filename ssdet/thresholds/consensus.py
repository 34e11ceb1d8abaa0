"""What two teachers agree on, for pixels and for boxes (Dual Mean-Teacher, NeurIPS 2023)."""

from typing import Literal

import torch
from torch import Tensor

from .box_quality import iou

Fusion = Literal["wbf", "inter"]


def confident_overlap(first: Tensor, second: Tensor, same: Tensor) -> Tensor:
    """|A and B, same label| / |A or B| for each image of masks (B, ...); 1 where both are empty."""
    both = (first & second & same).flatten(1).sum(1)
    either = (first | second).flatten(1).sum(1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def match_boxes(
    first: Tensor, second: Tensor, labels: tuple[Tensor, Tensor], min_iou: float
) -> tuple[Tensor, Tensor]:
    """One-to-one pairs of boxes of one label with at least this IoU, the sum of IoUs highest.

    Returns their indices in the first and in the second set. (The assignment is SciPy's; a greedy
    one gives a box to its best partner although another one has no partner but this.)
    """
    overlap = iou(first, second)
    same = labels[0][:, None] == labels[1][None]
    overlap = torch.where(same & (overlap >= min_iou), overlap, 0.0)
    from scipy.optimize import linear_sum_assignment  # slow to import, and few methods need it

    rows, columns = linear_sum_assignment(overlap.cpu().numpy(), maximize=True)
    rows, columns = (torch.as_tensor(x, device=first.device) for x in (rows, columns))
    paired = overlap[rows, columns] > 0
    return rows[paired], columns[paired]


def fuse_boxes(
    first: Tensor, second: Tensor, scores: tuple[Tensor, Tensor], fusion: Fusion = "wbf"
) -> Tensor:
    """One box for each pair: the mean weighted by the scores, or the common rectangle.

    `inter` makes boxes smaller than either teacher predicts and is biased to small objects.
    """
    if fusion == "inter":
        corners = torch.maximum(first[:, :2], second[:, :2])
        return torch.cat([corners, torch.minimum(first[:, 2:], second[:, 2:])], dim=1)
    a, b = (score[:, None] for score in scores)
    return (a * first + b * second) / (a + b).clamp(min=1e-12)
