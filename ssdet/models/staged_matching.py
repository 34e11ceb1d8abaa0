"""DETR heads of MMDetection whose matching may be one box to many queries for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import batched_nms
from mmdet.models import dense_heads
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, scale_boxes
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from ..losses.one_to_many import OneToManyLoss
from ..teacher_student.weights.boxes import Mixin
from ..teacher_student.weights.sets import box_targets

KNOWN = (
    dense_heads.DETRHead,
    dense_heads.DeformableDETRHead,
    dense_heads.ConditionalDETRHead,
    dense_heads.DABDETRHead,
    dense_heads.DINOHead,
)
METHODS = ("loss_by_feat", "loss_by_feat_single", "_predict_by_feat_single")
LOOKED_AT = 10  # the suppression looks at so many times the boxes that are left


class StagedMatching(Mixin):
    """A head of queries; without any of these attributes set it does what it did before.

    Attributes:
        one_to_many: The losses of every decoder layer and of the encoder.
        denoise: False: denoising queries have the loss 0, but their graph.
        suppress: (least score, overlap) of the suppression of duplicates.
    """

    one_to_many: OneToManyLoss | None = None
    denoise: bool = True
    suppress: tuple[float, float] | None = None

    def loss_by_feat_single(
        self,
        cls_scores: Tensor,
        bbox_preds: Tensor,
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Losses of one layer."""
        if self.one_to_many is None:
            found: tuple[Tensor, Tensor, Tensor] = super().loss_by_feat_single(
                cls_scores, bbox_preds, batch_gt_instances, batch_img_metas
            )
            return found
        targets = [
            box_targets(boxes, meta["img_shape"][:2], bbox_preds)
            for boxes, meta in zip(batch_gt_instances, batch_img_metas, strict=True)
        ]
        losses = self.one_to_many(cls_scores, bbox_preds, targets, reduce_mean)
        return losses["cls"], losses["bbox"], losses["iou"]

    def loss_dn(self, *args: Any, **kwargs: Any) -> Any:
        """Losses of the denoising queries of all layers."""
        found = super().loss_dn(*args, **kwargs)
        return found if self.denoise else [[0.0 * one for one in losses] for losses in found]

    def _predict_by_feat_single(
        self, cls_score: Tensor, bbox_pred: Tensor, img_meta: dict[str, Any], rescale: bool = True
    ) -> Any:
        """Boxes of an image."""
        if self.suppress is None:
            return super()._predict_by_feat_single(cls_score, bbox_pred, img_meta, rescale)
        least, overlap = self.suppress
        most: int = self.test_cfg.get("max_per_img", len(cls_score))
        every = cls_score.float().sigmoid().flatten()
        scores, places = every.topk(min(LOOKED_AT * most, len(every)))
        places = places[scores > least]
        query, labels = places // self.num_classes, places % self.num_classes
        height, width = img_meta["img_shape"][:2]
        limit = bbox_pred.new_tensor([width, height, width, height], dtype=torch.float32)
        corners = bbox_cxcywh_to_xyxy(bbox_pred[query].float()) * limit
        corners = torch.minimum(corners.clamp(min=0), limit)
        found = InstanceData(bboxes=corners, scores=every[places], labels=labels)
        if len(found):
            how = dict(type="nms", iou_threshold=overlap)
            found = found[batched_nms(found.bboxes, found.scores, found.labels, how)[1][:most]]
        if rescale and img_meta.get("scale_factor") is not None:
            across, down = img_meta["scale_factor"][:2]
            found.bboxes = scale_boxes(found.bboxes, [1 / across, 1 / down])
        return found


def is_known(head: Any) -> bool:
    """Whether the losses and predictions of a head are those that the mixin takes the place of."""
    if isinstance(head, StagedMatching):
        return True
    return _has_sigmoid(head) and all(
        any(getattr(type(head), name) is getattr(kind, name) for kind in KNOWN) for name in METHODS
    )


def weights_of(head: Any) -> tuple[float, float, float]:
    """Of class, L1 and GIoU in the losses of a head."""
    parts: Sequence[Any] = (head.loss_cls, head.loss_bbox, head.loss_iou)
    cls, box, iou = (float(part.loss_weight) for part in parts)
    return cls, box, iou


def _has_sigmoid(head: Any) -> bool:
    return isinstance(head, dense_heads.DETRHead) and head.loss_cls.use_sigmoid
