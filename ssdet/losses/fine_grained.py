"""D-FINE's losses of box sides as distributions over bins (Peng et al., ICLR 2025)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .set_prediction import (
    BoxTargets,
    Matches,
    corners,
    gathered,
    matched_places,
    overlaps,
    query_weights,
)

TEMPERATURE = 5.0


def bin_values(bins: int, up: float, scale: float) -> Tensor:
    """The offset W(n) of each of `bins` + 1 bins: fine around 0, coarse at the ends."""
    bound = abs(up) * abs(scale)
    step = (bound + 1) ** (2 / (bins - 2))
    half = [step**power - 1 for power in range(1, bins // 2)]
    inner = [-value for value in reversed(half)] + [0.0] + half
    return torch.tensor([-2 * bound, *inner, 2 * bound])


def bin_targets(
    references: Tensor, boxes: Tensor, values: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Bins (N * 4,) left of the true offsets of the sides, and the share of the bin to the right.

    References are (cx, cy, w, h), boxes are corners.
    """
    scale = abs(scale)
    size = references[:, 2:] / scale + 1e-16
    near = (references[:, :2] - boxes[:, :2]) / size - 0.5 * scale
    far = (boxes[:, 2:] - references[:, :2]) / size - 0.5 * scale
    offsets = torch.cat([near, far], 1).reshape(-1)
    bins = len(values) - 1
    left = (torch.searchsorted(values, offsets.contiguous(), right=True) - 1).clamp(-1, bins)
    inside = (left >= 0) & (left < bins)
    low = left.clamp(0, bins - 1)
    below, above = (offsets - values[low]).abs(), (values[low + 1] - offsets).abs()
    right = torch.where(inside, below / (below + above).clamp(min=1e-12), (left >= bins).float())
    return low, right


def side_losses(
    sides: Tensor,
    references: Tensor,
    boxes: Tensor,
    targets: Sequence[BoxTargets],
    matches: Matches,
    values: Tensor,
    *,
    scale: float,
    count: float | Tensor,
) -> Tensor:
    """Cross entropy of the bins on both sides of the truth, weighted by IoU and box weight."""
    where = matched_places(matches)
    wanted = corners(gathered([t.boxes for t in targets], matches))
    iou = overlaps(corners(boxes[where].float()), wanted)[0].detach()
    with torch.no_grad():
        left, right = bin_targets(references[where].float().detach(), wanted, values, scale)
    logits = sides[where].float().reshape(-1, len(values))
    entropy = F.cross_entropy(logits, left, reduction="none") * (1 - right)
    entropy = entropy + F.cross_entropy(logits, left + 1, reduction="none") * right
    weight = iou * gathered([t.box_weight for t in targets], matches)
    return (entropy * weight.repeat_interleave(4)).sum() / count


def side_distillation(
    sides: Tensor,
    last_sides: Tensor,
    last_logits: Tensor,
    boxes: Tensor,
    targets: Sequence[BoxTargets],
    matches: Matches,
) -> Tensor:
    """The sides of a layer learn those of the last one: T^2 KL, matched queries apart.

    A query without a box counts as much as its background does in the classification.
    """
    if torch.equal(sides, last_sides):
        return sides.sum() * 0
    where = matched_places(matches)
    wanted = corners(gathered([t.boxes for t in targets], matches))
    matched = torch.zeros(sides.shape[:2], dtype=torch.bool, device=sides.device)
    matched[where] = True
    weight = last_logits.detach().float().sigmoid().amax(-1)
    weight = weight * query_weights(boxes.float(), targets, matches)
    iou = overlaps(corners(boxes[where].float()), wanted)[0].detach()
    weight[where] = iou * gathered([t.box_weight for t in targets], matches)
    bins = last_sides.shape[-1] // 4
    own, other = (one.float().unflatten(-1, (4, bins)) / TEMPERATURE for one in (sides, last_sides))
    apart = F.kl_div(own.log_softmax(-1), other.detach().softmax(-1), reduction="none").sum(-1)
    loss = weight[..., None] * TEMPERATURE**2 * apart
    share = [(part.sum() * 4 / len(sides)) ** 0.5 for part in (matched, ~matched)]
    means = [loss[part].mean() if part.any() else loss.sum() * 0 for part in (matched, ~matched)]
    return (means[0] * share[0] + means[1] * share[1]) / (share[0] + share[1])
