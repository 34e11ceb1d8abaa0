"""What the queries of an image learn, with the weights of its boxes, as shares of a size."""

from __future__ import annotations

from mmdet.structures.bbox import bbox_xyxy_to_cxcywh, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from ...losses.set_prediction import BoxTargets
from .boxes import BoxWeights


def box_targets(instances: InstanceData, size: tuple[int, int], like: Tensor) -> BoxTargets:
    """The boxes of an image in float32 on the device of `like`; `size` is (height, width)."""
    corners = get_box_tensor(instances.bboxes).to(like.device).float()
    scale = corners.new_tensor([size[1], size[0], size[1], size[0]])
    weights = BoxWeights.of(instances)
    if weights is None:
        ones = corners.new_ones(len(corners))
        weights = BoxWeights(ones, ones, 1.0, corners.new_zeros(0, 4))
    return BoxTargets(
        labels=instances.labels.to(like.device),
        boxes=bbox_xyxy_to_cxcywh(corners) / scale,
        cls_weight=weights.cls.to(corners),
        box_weight=weights.box.to(corners),
        regions=weights.regions.to(corners) / scale,
        background=weights.background,
        soft=instances.get("soft_labels"),
    )
