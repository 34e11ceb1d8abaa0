"""Losses of queries when several of them learn each box: the first stage of Semi-DETR.

Boxes are (cx, cy, w, h) as shares of the image, as in `set_prediction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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

TINY = 1e-7


@dataclass(frozen=True)
class OneToManyLoss:
    """Each box is learned by the queries that fit it best, each as well as it fits.

    The fit of a query is p^alpha * IoU^beta, with its probability p of the class of the box. The
    best query of a box has its IoU as the target of classification, the others have less.
    Semi-DETR (Zhang et al., CVPR 2023), after TOOD.

    Attributes:
        weights: Of class, L1 and GIoU.
        topk: So many queries learn a box, at most.
        alpha, beta: Exponents of probability and IoU.
        gamma: Exponent of the distance between probability and target in the class loss.
    """

    weights: tuple[float, float, float]
    topk: int = 13
    alpha: float = 1.0
    beta: float = 6.0
    gamma: float = 2.0

    @torch.no_grad()
    def match(self, logits: Tensor, boxes: Tensor, targets: Sequence[BoxTargets]) -> Matches:
        """The queries of each box; one that several boxes want has that of the largest IoU."""
        found = []
        for scores, own, target in zip(logits.float(), boxes.float(), targets, strict=True):
            ious, _ = overlaps(corners(own)[:, None], corners(target.boxes)[None])
            found.append(
                claimed(self._fit(scores.sigmoid()[:, target.labels], ious), ious, self.topk)
            )
        return found

    @torch.no_grad()
    def goals(
        self, logits: Tensor, boxes: Tensor, targets: Sequence[BoxTargets], matches: Matches
    ) -> Tensor:
        """The target (P,) of each match, in the order of `matched_places`."""
        parts = list(self._goals(logits.float(), boxes.float(), targets, matches))
        return torch.cat(parts)

    def __call__(
        self,
        logits: Tensor,
        boxes: Tensor,
        targets: Sequence[BoxTargets],
        mean: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        """`cls`, `bbox` and `iou` of one layer: logits (B, Q, C), boxes (B, Q, 4).

        They are divided by the sum of the targets, of which `mean` makes that of all processes.
        """
        matches = self.match(logits, boxes, targets)
        goals = self.goals(logits, boxes, targets, matches)
        count = mean(goals.sum()).clamp(min=1.0)
        logits, boxes = logits.float(), boxes.float()
        where = matched_places(matches)
        own, wanted = boxes[where], gathered([t.boxes for t in targets], matches)
        weight = gathered([t.box_weight for t in targets], matches) * goals
        _, giou = overlaps(corners(own), corners(wanted))
        classes = [t.probabilities(logits.shape[-1]) for t in targets]
        aim = torch.zeros_like(logits)
        aim[where] = goals[:, None] * gathered(classes, matches)
        rows = query_weights(boxes, targets, matches)[..., None]
        return {
            "cls": self.weights[0] * (rows * aligned_focal(logits, aim, self.gamma)).sum() / count,
            "bbox": self.weights[1] * ((own - wanted).abs().sum(-1) * weight).sum() / count,
            "iou": self.weights[2] * ((1 - giou) * weight).sum() / count,
        }

    def _fit(self, chances: Tensor, ious: Tensor) -> Tensor:
        return chances**self.alpha * ious**self.beta

    def _goals(
        self, logits: Tensor, boxes: Tensor, targets: Sequence[BoxTargets], matches: Matches
    ) -> Iterator[Tensor]:
        for scores, own, target, (query, box) in zip(logits, boxes, targets, matches, strict=True):
            ious, _ = overlaps(corners(own[query]), corners(target.boxes[box]))
            fit = self._fit(scores.sigmoid()[query, target.labels[box]], ious)
            best = [_largest(one, box, len(target.labels))[box] for one in (fit, ious)]
            yield fit / (best[0] + TINY) * best[1]


def aligned_focal(logits: Tensor, goals: Tensor, gamma: float = 2.0) -> Tensor:
    """|t - p|^gamma * BCE(p, t) for each target t in [0, 1] of a probability p."""
    entropy = F.binary_cross_entropy_with_logits(logits, goals, reduction="none")
    return (goals - logits.sigmoid()).abs() ** gamma * entropy


def claimed(fit: Tensor, ious: Tensor, topk: int) -> tuple[Tensor, Tensor]:
    """Queries and the box of each, from the fit and the IoU (Q, N) of queries and boxes.

    A box claims its `topk` queries of the largest fit, as far as that is above 0.
    """
    if not fit.numel():
        nothing = torch.zeros(0, dtype=torch.long, device=fit.device)
        return nothing, nothing
    best = fit.topk(min(topk, len(fit)), dim=0)
    wanted = torch.zeros_like(fit, dtype=torch.bool).scatter_(0, best.indices, best.values > 0)
    query = wanted.any(1).nonzero()[:, 0]
    return query, ious.masked_fill(~wanted, -1.0).argmax(1)[query]


def _largest(values: Tensor, box: Tensor, count: int) -> Tensor:
    """The largest value of each box, 0 without any."""
    return values.new_zeros(count).scatter_reduce(0, box, values, "amax")
