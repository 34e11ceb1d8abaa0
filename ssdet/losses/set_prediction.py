"""Losses of detectors that match queries to boxes one to one (DETR and its descendants).

Boxes are (cx, cy, w, h) as shares of the image. Everything is summed over the images of a batch
and divided by the number of boxes (that of all processes), which no weight ever changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["varifocal", "aligned", "focal", "softmax"]
Matches = Sequence[tuple[Tensor, Tensor]]  # of each image: queries, and the box of each
TINY = 1e-9
LEAST_GOAL = 0.01  # of "aligned"
COVERED = 0.5  # a query without a box is ignored if more than this share lies in a region


@dataclass(frozen=True)
class BoxTargets:
    """What the queries of one image learn.

    Attributes:
        labels: Classes (N,).
        boxes: (N, 4).
        cls_weight, box_weight: Factors (N,) on the losses of class and box.
        regions: (K, 4); a query without a box in one of them learns nothing.
        background: Factor on the losses of queries without a box.
        soft: Probabilities (N, C) to learn in place of the classes; None: the classes.
    """

    labels: Tensor
    boxes: Tensor
    cls_weight: Tensor
    box_weight: Tensor
    regions: Tensor
    background: float = 1.0
    soft: Tensor | None = None

    def probabilities(self, classes: int) -> Tensor:
        """The targets of classification (N, C)."""
        if self.soft is not None:
            return self.soft
        return F.one_hot(self.labels, classes).to(self.boxes.dtype)


@dataclass(frozen=True)
class SetLoss:
    """Costs of the matching, and weights of the losses.

    Attributes:
        kind: "varifocal" (RT-DETR: the IoU is the target), "aligned" (LW-DETR: the target is
            p^alpha * IoU^(1 - alpha), and what has no box is weighted by p^gamma), "focal"
            (Deformable DETR), or "softmax" (DETR: one more class, for nothing).
        costs: Of class, L1 and GIoU in the matching.
        weights: Of class, L1 and GIoU in the loss.
        alpha, gamma: Of the (vari)focal loss.
        cost_alpha, cost_gamma: Of the focal cost.
        nothing: Weight of the class for nothing.
    """

    kind: Kind
    costs: tuple[float, float, float]
    weights: tuple[float, float, float]
    alpha: float = 0.25
    gamma: float = 2.0
    cost_alpha: float = 0.25
    cost_gamma: float = 2.0
    nothing: float = 0.1

    @torch.no_grad()
    def match(
        self, logits: Tensor, boxes: Tensor, targets: Sequence[BoxTargets], groups: int = 1
    ) -> Matches:
        """The cheapest assignment of the boxes of each image to queries (Hungarian method).

        Each of the equally large `groups` of queries is assigned all boxes.
        """
        size = logits.shape[1] // groups
        found = []
        for own, places, target in zip(logits, boxes, targets, strict=True):
            parts = zip(own.split(size), places.split(size), strict=True)
            pairs = [self.assign(*part, target)[:2] for part in parts]
            queries = [query + number * size for number, (query, _) in enumerate(pairs)]
            found.append((torch.cat(queries), torch.cat([box for _, box in pairs])))
        return found

    @torch.no_grad()
    def assign(
        self, logits: Tensor, boxes: Tensor, target: BoxTargets
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same of one image: queries, the box of each, and what the pair costs."""
        from scipy.optimize import linear_sum_assignment  # takes a while to import

        logits, boxes = logits.float(), boxes.float()
        cost = self.costs[0] * self._class_cost(logits, target.labels)
        cost = cost + self.costs[1] * torch.cdist(boxes, target.boxes, p=1)
        _, giou = overlaps(corners(boxes)[:, None], corners(target.boxes)[None])
        cost = cost - self.costs[2] * giou
        worst = torch.finfo(cost.dtype).max
        cost = torch.nan_to_num(cost, nan=worst, posinf=worst, neginf=worst)
        rows, columns = linear_sum_assignment(cost.cpu().numpy())
        query, box = (torch.as_tensor(one, device=boxes.device) for one in (rows, columns))
        return query, box, cost[query, box]

    def _class_cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.kind == "softmax":
            return -logits.softmax(-1)[:, labels]
        p = logits.sigmoid()[:, labels]
        negative = (1 - self.cost_alpha) * p**self.cost_gamma * -(1 - p + 1e-8).log()
        positive = self.cost_alpha * (1 - p) ** self.cost_gamma * -(p + 1e-8).log()
        return positive - negative

    def __call__(
        self,
        logits: Tensor,
        boxes: Tensor,
        targets: Sequence[BoxTargets],
        matches: Matches,
        count: float | Tensor,
    ) -> dict[str, Tensor]:
        """`cls`, `bbox` and `iou` of one layer: logits (B, Q, C), boxes (B, Q, 4)."""
        logits, boxes = logits.float(), boxes.float()
        image, query = matched_places(matches)
        own = boxes[image, query]
        wanted = gathered([t.boxes for t in targets], matches)
        weight = gathered([t.box_weight for t in targets], matches)
        iou, giou = overlaps(corners(own), corners(wanted))
        classes = logits.shape[-1] - (self.kind == "softmax")
        soft = gathered([t.probabilities(classes) for t in targets], matches)
        rows = query_weights(boxes, targets, matches)
        learned = self._class_loss(logits, soft, iou.detach(), (image, query), rows)
        return {
            "cls": self.weights[0] * (learned if self.kind == "softmax" else learned / count),
            "bbox": self.weights[1] * ((own - wanted).abs().sum(-1) * weight).sum() / count,
            "iou": self.weights[2] * ((1 - giou) * weight).sum() / count,
        }

    def _class_loss(
        self, logits: Tensor, soft: Tensor, iou: Tensor, where: tuple[Tensor, Tensor], rows: Tensor
    ) -> Tensor:
        if self.kind == "aligned":
            return self._aligned(logits, soft, iou, where, rows)
        target = torch.zeros_like(logits)
        if self.kind == "softmax":
            target[..., -1] = 1.0
            rest = (1.0 - soft.sum(-1, keepdim=True)).clamp(min=0.0)
            target[where] = torch.cat([soft, rest], -1)
            factor = target.new_ones(target.shape[-1])
            factor[-1] = self.nothing
            weight = (target * factor).sum(-1)
            entropy = -(target * logits.log_softmax(-1)).sum(-1)
            return (rows * weight * entropy).sum() / weight.sum()
        if self.kind == "focal":
            target[where] = soft
            p = logits.sigmoid()
            right = p * target + (1 - p) * (1 - target)
            alpha = self.alpha * target + (1 - self.alpha) * (1 - target)
            weight = alpha * (1 - right) ** self.gamma
        else:
            target[where] = soft * iou[:, None]
            named = torch.zeros_like(logits)
            named[where] = (soft > 0).to(named.dtype)
            p = logits.detach().sigmoid()
            weight = self.alpha * p**self.gamma * (1 - named) + target
        entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (rows[..., None] * weight * entropy).sum()

    def _aligned(
        self, logits: Tensor, soft: Tensor, iou: Tensor, where: tuple[Tensor, Tensor], rows: Tensor
    ) -> Tensor:
        """A class of probability s is learned by s, and unlearned by 1 - s as without a box."""
        p, yes, no = logits.sigmoid(), -F.logsigmoid(logits), -F.logsigmoid(-logits)
        named, goal = torch.zeros_like(logits), torch.zeros_like(logits)
        named[where] = soft
        fit = p.detach()[where] ** self.alpha * iou[:, None] ** (1 - self.alpha)
        goal[where] = fit.clamp(min=LEAST_GOAL)
        with_box = goal * yes + (1 - goal) * no
        without = p**self.gamma * no  # the weight learns, too, as the authors' does
        return (rows[..., None] * (named * with_box + (1 - named) * without)).sum()


def query_weights(boxes: Tensor, targets: Sequence[BoxTargets], matches: Matches) -> Tensor:
    """Factors (B, Q) on the classification loss of each query."""
    rows = []
    for own, target, (query, box) in zip(boxes.detach(), targets, matches, strict=True):
        row = own.new_full((len(own),), target.background)
        if len(target.regions):
            row[covered(corners(own), target.regions)] = 0.0
        row[query] = target.cls_weight[box].to(row)
        rows.append(row)
    return torch.stack(rows)


def covered(boxes: Tensor, regions: Tensor) -> Tensor:
    """Which boxes (Q, 4), as corners, lie in one of the regions (K, 4) with most of their area.

    A box without area (a proposal in the padding of LW-DETR) lies where its center does.
    """
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1)[:, None]
    center = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    inside = ((center >= regions[:, :2]) & (center <= regions[:, 2:])).all(-1)
    return (shared / area.clamp(min=TINY) > COVERED).where(area > TINY, inside).any(1)


def corners(boxes: Tensor) -> Tensor:
    """(cx, cy, w, h) -> (x1, y1, x2, y2)."""
    center, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([center - size / 2, center + size / 2], -1)


def overlaps(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of corners (..., 4), pair by pair."""
    shared = _area(torch.maximum(boxes[..., :2], others[..., :2]),
                   torch.minimum(boxes[..., 2:], others[..., 2:]))  # fmt: skip
    union = _area(boxes[..., :2], boxes[..., 2:]) + _area(others[..., :2], others[..., 2:]) - shared
    hull = _area(torch.minimum(boxes[..., :2], others[..., :2]),
                 torch.maximum(boxes[..., 2:], others[..., 2:]))  # fmt: skip
    iou = shared / union.clamp(min=TINY)
    return iou, iou - (hull - union) / hull.clamp(min=TINY)


def _area(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0).prod(-1)


def matched_places(matches: Matches) -> tuple[Tensor, Tensor]:
    """Image and query of every match."""
    images = [torch.full_like(query, number) for number, (query, _) in enumerate(matches)]
    return torch.cat(images), torch.cat([query for query, _ in matches])


def gathered(values: Sequence[Tensor], matches: Matches) -> Tensor:
    """A field of the boxes that are matched, in the order of `matched_places`."""
    return torch.cat([own[box] for own, (_, box) in zip(values, matches, strict=True)])
