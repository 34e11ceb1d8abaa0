"""Boxes that detectors of transformers predict, as MMDetection has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmcv.ops import batched_nms
from mmdet.structures.bbox import scale_boxes
from mmengine.structures import InstanceData
from torch import Tensor

from ..validation import check_range


@dataclass(frozen=True)
class Limits:
    """Which predictions of an image are given away.

    Attributes:
        owner: Whose settings they are, for errors.
        most: How many, at most.
        lowest: The lowest score.
        nms: IoU above which a lower prediction of the same class is a duplicate; None: no limit.
    """

    owner: str
    most: int
    lowest: float
    nms: float | None

    def __post_init__(self) -> None:
        check_range(self.owner, "score_thr", self.lowest)
        if self.nms is not None:
            check_range(self.owner, "nms", self.nms)


def best_boxes(
    scores: Tensor,
    labels: Tensor,
    corners: Tensor,
    queries: Tensor,
    meta: Mapping[str, Any],
    limits: Limits,
) -> InstanceData:
    """The most probable predictions (N,) of an image; each has the corners of its query."""
    kept = scores.topk(min(limits.most, len(scores))).indices
    kept = kept[scores[kept] >= limits.lowest]
    boxes = corners[queries[kept]]
    height, width = meta["img_shape"][:2]
    boxes = torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))
    found = InstanceData(bboxes=boxes, scores=scores[kept], labels=labels[kept])
    if limits.nms is not None and len(found):
        how = dict(type="nms", iou_threshold=limits.nms)
        found = found[batched_nms(found.bboxes, found.scores, found.labels, how)[1]]
    return found


def in_original_frame(found: InstanceData, meta: Mapping[str, Any]) -> InstanceData:
    """Boxes of a resized image in the image as it was."""
    if meta.get("scale_factor") is not None:
        across, down = meta["scale_factor"][:2]
        found.bboxes = scale_boxes(found.bboxes, [1 / across, 1 / down])
    return found
