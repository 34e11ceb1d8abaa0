"""FCOS heads that predict something else than how central a place is."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.dense_heads import FCOSHead
from mmdet.structures.bbox import bbox_overlaps
from mmdet.utils import reduce_mean
from torch import Tensor

from ..registry import MODELS
from ..teacher_student.weights.dense import FCOSTargets


@dataclass(frozen=True)
class Points:
    """All points of a batch (N), levels one after the other, with what they learn.

    Attributes:
        maps: The outputs of the head: logits (N, K), distances (N, 4), quality (N, 1), ...
        labels: Classes; the number of classes is the background.
        positive: Numbers of the points that an object is assigned to.
        places: Coordinates (P, 2) of the positives.
        targets: Distances (P, 4) that the positives learn, in the unit of the head.
        count: How many positives there are, the mean of all processes; at least 1.
    """

    maps: list[Tensor]
    labels: Tensor
    positive: Tensor
    places: Tensor
    targets: Tensor
    count: Any


class PointHead(FCOSTargets, FCOSHead):
    """FCOSHead with losses of one's own: `point_losses` of what is assigned as in FCOS.

    Each of `loss_cls` (for all points), `loss_bbox` and `loss_centerness` (for the positives, if
    there are any) has to be called once, so that it gets the weights of pseudo boxes.
    """

    def loss_by_feat(self, *given: Any) -> dict[str, Tensor]:
        """Losses of the maps; then come annotations, metainfo and what to ignore."""
        *maps, truth, _, _ = given
        sizes = [level.shape[-2:] for level in maps[0]]
        device, dtype = maps[1][0].device, maps[1][0].dtype
        levels = self.prior_generator.grid_priors(sizes, dtype=dtype, device=device)
        per_level = self.get_targets(levels, truth)
        labels, targets = (torch.cat(one) for one in per_level)
        positive = (labels < self.num_classes).nonzero().squeeze(1)
        count = reduce_mean(labels.new_tensor(len(positive), dtype=torch.float32)).clamp(min=1)
        places = torch.cat([points.repeat(len(truth), 1) for points in levels])[positive]
        flat = [torch.cat([_rows(level) for level in one]) for one in maps]
        return self.point_losses(Points(flat, labels, positive, places, targets[positive], count))

    @abstractmethod
    def point_losses(self, points: Points) -> dict[str, Tensor]:
        """The losses by name."""


@MODELS.register_module()
class IoUFCOSHead(PointHead):
    """FCOS whose third output is how well the box of a place fits, not how central the place is.

    The head of Dense Teacher (ECCV 2022): the quality learns the IoU of the predicted box with its
    object, and all boxes weigh alike. Outputs, parameters and scores are those of `FCOSHead`.
    """

    def point_losses(self, points: Points) -> dict[str, Tensor]:
        """Classes of all points; boxes and quality of the positives."""
        logits, distances, quality = points.maps
        losses = {"loss_cls": self.loss_cls(logits, points.labels, avg_factor=points.count)}
        distances, quality = distances[points.positive], quality[points.positive, 0]
        if not len(distances):
            return {**losses, "loss_bbox": distances.sum(), "loss_centerness": quality.sum()}
        boxes = self.bbox_coder.decode(points.places, distances)
        truth = self.bbox_coder.decode(points.places, points.targets)
        fit = bbox_overlaps(boxes.detach(), truth, is_aligned=True)
        return {
            **losses,
            "loss_bbox": self.loss_bbox(boxes, truth, avg_factor=points.count),
            "loss_centerness": self.loss_centerness(quality, fit, avg_factor=points.count),
        }


def _rows(level: Tensor) -> Tensor:
    return level.permute(0, 2, 3, 1).reshape(-1, level.shape[1])
