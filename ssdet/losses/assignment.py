"""Which prediction learns which box, by its cost (Consistent-Teacher) or quality (PseCo)."""

from __future__ import annotations

import torch
from torch import Tensor

# 10^d: beyond this distance (in strides) a prior is as bad as it gets; fp32 ends at 10^38.
_FARTHEST = 20.0
TINY = 1e-9
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


def prediction_guided(
    ious: Tensor, chances: Tensor, *, bag_iou: float = 0.4, alpha: float = 0.5, topk: int = 12
) -> Tensor:
    """The box (N,) that each proposal learns, -1 for none, by what the teacher makes of it (PseCo).

    The bag of a box are the proposals that it overlaps most, by at least `bag_iou`. The best of
    them learn the box, as many as the (rounded down) sum of the `topk` largest IoUs of the bag, at
    least one. The quality is IoU^(1 - alpha) * chance^alpha.

    Args:
        ious: IoU of the refined proposals with the boxes (N, G).
        chances: The teacher's probability (N, G) of the class of each box.
    """
    if not ious.numel():
        return torch.full(ious.shape[:1], -1, dtype=torch.long, device=ious.device)
    best, owner = ious.max(1)
    in_bag = torch.zeros_like(ious, dtype=torch.bool)
    in_bag[torch.arange(len(ious), device=ious.device), owner] = best >= bag_iou
    overlaps = ious.where(in_bag, 0.0)
    counts = overlaps.topk(min(topk, len(ious)), dim=0).values.sum(0).long().clamp(min=1)
    quality = (overlaps ** (1 - alpha) * chances**alpha).where(in_bag, -1.0)
    rank = quality.argsort(dim=0, descending=True, stable=True).argsort(dim=0)
    chosen = (in_bag & (rank < counts)).any(1)
    return owner.where(chosen, -1)


def voted_weights(owners: Tensor, ious: Tensor, power: float = 2.0) -> Tensor:
    """Weights (P,) of the positives in the box loss, by how well those of one box agree (PseCo).

    A positive weighs u^power, u the mean IoU of the decoded positives of its box with that; all
    weights are scaled so that they sum up to the u of all positives.

    Args:
        owners: A number for the box of each positive (P,), different for each box of a batch.
        ious: IoU of each decoded positive with its box (P,).
    """
    if not len(owners):
        return ious
    _, place = owners.unique(return_inverse=True)
    count = int(place.max()) + 1
    total = ious.new_zeros(count).index_add(0, place, ious)
    agreement = (total / torch.bincount(place, minlength=count))[place]
    weights = agreement**power
    return weights * (agreement.sum() / weights.sum().clamp(min=TINY))


def _present(p: Tensor) -> Tensor:
    """Focal loss of a probability whose class is there."""
    return -0.25 * (1 - p) ** 2 * p.log().clamp(min=_LOG_FLOOR)


def _absent(p: Tensor) -> Tensor:
    """Focal loss of a probability whose class is not there."""
    return -0.75 * p**2 * (1 - p).log().clamp(min=_LOG_FLOOR)
