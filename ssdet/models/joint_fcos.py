"""ARSL's FCOS head: one probability of class and IoU together."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmdet.utils import reduce_mean
from torch import Tensor

from ..losses.separation import joint_focal
from ..registry import MODELS
from ..validation import check_range
from .fcos_heads import PointHead, Points


@MODELS.register_module()
class JointConfidenceFCOSHead(PointHead):
    """FCOS whose third output is the IoU, and whose score learns class and IoU as one product.

    Ambiguity-Resistant Semi-supervised Learning (Liu et al., CVPR 2023). The product of class
    and IoU probability learns the IoU of the predicted box for the class of the object, and 0
    for all else (focal, through both outputs). Boxes weigh by how central their place is.
    Outputs and parameters are those of `FCOSHead`.

    Args:
        num_classes, in_channels: As in all heads of MMDetection.
        iou_weight: Factor on the loss of the IoU alone.
        **kwargs: See MMDetection's `FCOSHead`.
    """

    def __init__(
        self, num_classes: int, in_channels: int, *, iou_weight: float = 0.5, **kwargs: Any
    ) -> None:
        check_range(type(self).__name__, "iou_weight", iou_weight, 0, float("inf"))
        self.iou_weight = iou_weight
        super().__init__(num_classes, in_channels, **kwargs)

    def point_losses(self, points: Points) -> dict[str, Tensor]:
        """Classes of all points; boxes and IoU of the positives."""
        logits, distances, quality = points.maps
        quality, at = quality[:, 0], points.positive
        targets = torch.zeros_like(logits)
        boxes = self.bbox_coder.decode(points.places, distances[at])
        truth = self.bbox_coder.decode(points.places, points.targets)
        fit = bbox_overlaps(boxes.detach(), truth, is_aligned=True)
        targets[at, points.labels[at]] = fit.to(targets)
        each = joint_focal(logits, quality, targets).sum(-1)
        weights = torch.ones_like(each) if self.cls_weights is None else self.cls_weights
        losses = {"loss_cls": (each * weights).sum() / points.count}
        if not len(at):
            return {**losses, "loss_bbox": boxes.sum(), "loss_centerness": quality[at].sum()}
        centrality = self.centerness_target(points.targets)
        average = reduce_mean(centrality.sum()).clamp(min=1e-6)
        return {
            **losses,
            "loss_bbox": self.loss_bbox(boxes, truth, weight=centrality, avg_factor=average),
            "loss_centerness": self.iou_weight
            * self.loss_centerness(quality[at], fit, avg_factor=points.count),
        }
