"""Losses of models that match queries to masks one to one (MaskFormer and its descendants).

As in Mask2Former (Cheng et al., CVPR 2022) the losses of a mask are taken at sampled points, most
of them where the mask is least certain. Sums over the masks of a batch are divided by their number,
which no weight ever changes: all weights equal to c give c times the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import IGNORE
from .set_prediction import Matches, gathered, matched_places


def mask_confidence(logits: Tensor) -> Tensor:
    """The mean probability (N,) of the pixels inside of each mask (N, H, W), which logit > 0 says.

    0 where nothing is inside.

    >>> mask_confidence(torch.tensor([[[2.0, 1.0, -1.0]]]))
    tensor([0.8059])
    """
    inside = (logits > 0).flatten(1)
    probabilities = logits.sigmoid().flatten(1)
    return (probabilities * inside).sum(1) / inside.sum(1).clamp(min=1)


@dataclass(frozen=True)
class MaskTargets:
    """What the queries of one image learn.

    Attributes:
        labels: Classes (N,).
        masks: (N, H, W), true where the object is.
        pixels: Weights (H, W) of the pixels of all masks.
        elsewhere: (H, W). A query without an object weighs what these are within its own mask.
        cls_weight, mask_weight: Factors (N,) on the losses of class and mask; None: 1.
    """

    labels: Tensor
    masks: Tensor
    pixels: Tensor
    elsewhere: Tensor
    cls_weight: Tensor | None = None
    mask_weight: Tensor | None = None

    @classmethod
    def of_map(cls, labels: Tensor, weights: Tensor, ignore: int = IGNORE) -> MaskTargets:
        """One mask for each class in a label map (H, W); pixels to ignore weigh nothing."""
        weights = weights.float() * (labels != ignore)
        classes = labels[labels != ignore].unique()
        return cls(classes, labels[None] == classes[:, None, None], weights, weights)

    @cached_property
    def shares(self) -> Tensor:
        """The mean weight (N,) of the pixels of each mask."""
        inside = self.masks.flatten(1).float()
        return inside @ self.pixels.flatten() / inside.sum(1).clamp(min=1.0)

    def factors(self, weight: Tensor | None) -> Tensor:
        """`cls_weight` or `mask_weight`, ones where there are none."""
        return torch.ones_like(self.shares) if weight is None else weight.to(self.shares)


@dataclass(frozen=True)
class MaskSetLoss:
    """Costs of the matching and weights of the losses: of class, cross entropy and Dice.

    Attributes:
        costs, weights: Of the three.
        nothing: Weight of the class for nothing.
        points: How many points are sampled, in the matching and for each mask.
        oversampling: How many times as many are drawn, to choose the uncertain ones of.
        uncertain: The share of points that are chosen so; the others are drawn evenly.
    """

    costs: tuple[float, float, float]
    weights: tuple[float, float, float]
    nothing: float = 0.1
    points: int = 12544
    oversampling: float = 3.0
    uncertain: float = 0.75

    @torch.no_grad()
    def match(self, logits: Tensor, masks: Tensor, targets: Sequence[MaskTargets]) -> Matches:
        """The cheapest assignment of the masks of each image to queries (Hungarian method)."""
        from scipy.optimize import linear_sum_assignment  # takes a while to import

        found = []
        for scores, own, target in zip(logits.float(), masks.float(), targets, strict=True):
            points = torch.rand(1, self.points, 2, device=own.device)
            x, wanted = sampled(own, points), sampled(target.masks.float(), points)
            known = (sampled(target.pixels[None], points, mode="nearest") > 0).float()
            cost = -self.costs[0] * scores.softmax(-1)[:, target.labels]
            entropy = (F.softplus(x) * known).sum(1)[:, None] - x @ (wanted * known).T
            cost = cost + self.costs[1] * entropy / self.points
            p, wanted = x.sigmoid() * known, wanted * known
            overlap = (2 * p @ wanted.T + 1) / (p.sum(1)[:, None] + wanted.sum(1)[None] + 1)
            cost = cost + self.costs[2] * (1 - overlap)
            worst = torch.finfo(cost.dtype).max
            cost = torch.nan_to_num(cost, nan=worst, posinf=worst, neginf=worst)
            rows, columns = linear_sum_assignment(cost.cpu().numpy())
            found.append(tuple(torch.as_tensor(one, device=own.device) for one in (rows, columns)))
        return found  # type: ignore[return-value]

    def __call__(
        self,
        logits: Tensor,
        masks: Tensor,
        targets: Sequence[MaskTargets],
        matches: Matches,
        count: float | Tensor,
    ) -> dict[str, Tensor]:
        """`cls`, `mask` and `dice` of one layer: logits (B, Q, C + 1), masks (B, Q, h, w)."""
        logits, masks = logits.float(), masks.float()
        entropy, dice = self._of_masks(masks, targets, matches)
        return {
            "cls": self.weights[0] * self._of_classes(logits, masks, targets, matches),
            "mask": self.weights[1] * entropy / count,
            "dice": self.weights[2] * dice / count,
        }

    def _of_masks(
        self, masks: Tensor, targets: Sequence[MaskTargets], matches: Matches
    ) -> tuple[Tensor, Tensor]:
        image, query = matched_places(matches)
        own = masks[image, query]
        if not len(own):
            return masks.sum() * 0.0, masks.sum() * 0.0
        with torch.no_grad():
            points = self._uncertain_points(own)
            wanted = sampled(gathered([t.masks.float() for t in targets], matches), points)
            pixels = torch.stack([t.pixels for t in targets])[image]
            weight = sampled(pixels, points, mode="nearest")
        x = sampled(own, points)
        known = (weight > 0).float()
        factor = gathered([t.factors(t.mask_weight) for t in targets], matches)
        entropy = (weight * (F.softplus(x) - x * wanted)).mean(1)
        p, wanted = x.sigmoid() * known, wanted * known
        dice = 1 - (2 * (p * wanted).sum(1) + 1) / (p.sum(1) + wanted.sum(1) + 1)
        # Dice as a ratio is blind to a common factor: the mean weight of the mask stands before it.
        share = gathered([t.shares for t in targets], matches)
        return (factor * entropy).sum(), (factor * share * dice).sum()

    def _of_classes(
        self, logits: Tensor, masks: Tensor, targets: Sequence[MaskTargets], matches: Matches
    ) -> Tensor:
        label = logits.new_full(logits.shape[:2], logits.shape[-1] - 1, dtype=torch.long)
        label[matched_places(matches)] = gathered([t.labels for t in targets], matches)
        weight = logits.new_ones(logits.shape[-1])
        weight[-1] = self.nothing
        entropy = F.cross_entropy(logits.flatten(0, 1), label.flatten(), weight, reduction="none")
        rows = query_weights(masks, targets, matches)
        return (rows.flatten() * entropy).sum() / weight[label].sum()

    def _uncertain_points(self, masks: Tensor) -> Tensor:
        """Points (N, P, 2) in [0, 1], most of them where a mask is near its border."""
        drawn = torch.rand(len(masks), int(self.points * self.oversampling), 2, device=masks.device)
        chosen = int(self.uncertain * self.points)
        best = (-sampled(masks, drawn).abs()).topk(chosen, 1).indices
        near = drawn.gather(1, best[..., None].expand(-1, -1, 2))
        even = torch.rand(len(masks), self.points - chosen, 2, device=masks.device)
        return torch.cat([near, even], 1)


@torch.no_grad()
def query_weights(masks: Tensor, targets: Sequence[MaskTargets], matches: Matches) -> Tensor:
    """Factors (B, Q) on the classification loss: a query weighs what the pixels of its mask weigh.

    That is the mask of its object, or, without one, its own; of an empty mask, the whole image.
    """
    elsewhere = torch.stack([t.elsewhere for t in targets])[:, None]
    height, width = masks.shape[-2:]
    weight = F.adaptive_avg_pool2d(elsewhere, (height, width)).flatten(2)
    inside = (masks.flatten(2) > 0).float()
    size = inside.sum(-1)
    rows = (inside * weight).sum(-1) / size.clamp(min=1.0)
    rows = rows.where(size > 0, weight.mean(-1))
    assigned = gathered([t.shares * t.factors(t.cls_weight) for t in targets], matches)
    rows[matched_places(matches)] = assigned.to(rows)
    return rows


def sampled(maps: Tensor, points: Tensor, mode: str = "bilinear") -> Tensor:
    """Values (N, P) of maps (N, H, W) at points (N, P, 2) or (1, P, 2): x and y in [0, 1]."""
    places = 2 * points.expand(len(maps), -1, -1)[:, :, None] - 1
    return F.grid_sample(maps[:, None], places, mode=mode, align_corners=False)[:, 0, :, 0]
