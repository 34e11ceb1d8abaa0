"""What two teachers agree on, for pixels and for boxes (Dual Mean-Teacher, NeurIPS 2023)."""

from typing import Literal

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

Fusion = Literal["wbf", "inter"]


def confident_overlap(first: Tensor, second: Tensor, same: Tensor) -> Tensor:
    """|A and B, same label| / |A or B| for each image of masks (B, ...); 1 where both are empty."""
    both = (first & second & same).flatten(1).sum(1)
    either = (first | second).flatten(1).sum(1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of each box of (N, 4) with each of (M, 4): (N, M)."""
    corner = torch.maximum(first[:, None, :2], second[None, :, :2])
    other = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = (other - corner).clamp(min=0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - overlap
    return torch.where(union > 0, overlap / union.clamp(min=1e-12), 0.0)


def match_boxes(
    first: Tensor, second: Tensor, labels: tuple[Tensor, Tensor], min_iou: float
) -> tuple[Tensor, Tensor]:
    """One-to-one pairs of boxes of one label with at least this IoU, the sum of IoUs highest.

    Returns their indices in the first and in the second set. (The assignment is SciPy's; a greedy
    one gives a box to its best partner although another one has no partner but this.)
    """
    iou = box_iou(first, second)
    iou = torch.where((labels[0][:, None] == labels[1][None]) & (iou >= min_iou), iou, 0.0)
    rows, columns = linear_sum_assignment(iou.cpu().numpy(), maximize=True)
    rows, columns = (torch.as_tensor(x, device=first.device) for x in (rows, columns))
    paired = iou[rows, columns] > 0
    return rows[paired], columns[paired]


def fuse_boxes(
    first: Tensor, second: Tensor, scores: tuple[Tensor, Tensor], fusion: Fusion = "wbf"
) -> Tensor:
    """One box for each pair: the mean weighted by the scores, or the common rectangle.

    `inter` makes boxes smaller than either teacher says and is biased to small objects.
    """
    if fusion == "inter":
        corners = torch.maximum(first[:, :2], second[:, :2])
        return torch.cat([corners, torch.minimum(first[:, 2:], second[:, 2:])], dim=1)
    a, b = (score[:, None] for score in scores)
    return (a * first + b * second) / (a + b).clamp(min=1e-12)
