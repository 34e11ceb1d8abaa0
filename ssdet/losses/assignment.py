"""Which prediction learns which box, by the cost of letting it (Consistent-Teacher)."""

from __future__ import annotations

import torch
from torch import Tensor

# 10^d: beyond this distance (in strides) a prior is as bad as it gets; fp32 ends at 10^38.
_FARTHEST = 20.0
_LOG_FLOOR = -100.0  # as in PyTorch's binary cross entropy


def matching_cost(
    scores: Tensor, ious: Tensor, distances: Tensor, labels: Tensor, *, iou_weight: float = 3.0
) -> Tensor:
    """Cost (V, G) of making prior i responsible for box j.

    Focal loss (alpha 0.25, gamma 2, summed over all classes) of the prediction against the box's
    class, plus `iou_weight` * -log(IoU), plus 0.001 * 10^distance. The focal loss of a one-hot
    target is that of no target at all but for one class, so that no tensor of V x G x C is needed.

    Args:
        scores: Class probabilities (V, C).
        ious: IoU of predicted box and box, (V, G).
        distances: Between their centers, in strides of the prior, (V, G).
        labels: Class of each box, (G,).
    """
    scores, ious, distances = scores.float(), ious.float(), distances.float()
    own = scores[:, labels]
    classes = _absent(scores).sum(1, keepdim=True) + _present(own) - _absent(own)
    overlap = -(ious + 1e-7).log()
    return classes + iou_weight * overlap + 1e-3 * 10 ** distances.clamp(max=_FARTHEST)


def dynamic_match(cost: Tensor, ious: Tensor, *, topk: int = 13) -> Tensor:
    """The box (V,) that each prior learns, -1 for none, given cost and IoU (V, G).

    Box j gets its k_j cheapest priors, where k_j is the (rounded down) sum of its `topk` best IoUs,
    at least 1. A prior that several boxes claim learns the one that is cheapest for it.
    """
    unmatched = torch.full_like(cost[:, 0] if cost.shape[1] else ious.sum(1), -1, dtype=torch.long)
    if not cost.numel():
        return unmatched
    most = min(topk, len(cost))
    counts = ious.topk(most, dim=0).values.sum(0).long().clamp(min=1)
    cheapest = cost.topk(most, dim=0, largest=False).indices
    wanted = torch.arange(most, device=cost.device)[:, None] < counts
    claimed = torch.zeros_like(cost, dtype=torch.bool).scatter_(0, cheapest, wanted)
    claims = claimed.sum(1)
    chosen = torch.where(claims > 1, cost.argmin(1), claimed.int().argmax(1))
    return torch.where(claims > 0, chosen, unmatched)


def _present(p: Tensor) -> Tensor:
    """Focal loss of a probability whose class is there."""
    return -0.25 * (1 - p) ** 2 * p.log().clamp(min=_LOG_FLOOR)


def _absent(p: Tensor) -> Tensor:
    """Focal loss of a probability whose class is not there."""
    return -0.75 * p**2 * (1 - p).log().clamp(min=_LOG_FLOOR)
