"""Pooled features of boxes, from the pyramid of any detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS as DETECTION_MODELS
from mmdet.structures.bbox import bbox2roi
from torch import Tensor

from ..teacher_student.heads import stages


class RoIFeatures:
    """Pools (N, C, size, size) from the levels of a neck with RoIAlign, without a gradient.

    Args:
        strides: Of the levels; other levels of the neck are not used.
        channels: Of the neck.
        size: Height and width of what is pooled.
        finest: Boxes of less than twice this many pixels (the root of their area) are pooled from
            the first level. None: 14 times its stride, as in FPN.
    """

    def __init__(
        self, strides: Sequence[int], channels: int, size: int, finest: int | None = None
    ) -> None:
        self.levels = len(strides)
        self.extractor: Any = DETECTION_MODELS.build(
            dict(
                _scope_="mmdet",
                type="SingleRoIExtractor",
                roi_layer=dict(type="RoIAlign", output_size=size, sampling_ratio=0),
                out_channels=channels,
                featmap_strides=list(strides),
                finest_scale=finest or 14 * strides[0],
            )
        )

    @torch.no_grad()
    def __call__(self, features: Sequence[Tensor], boxes: list[Tensor]) -> Tensor:
        """Features of the boxes of each image, one image after the other."""
        return self.extractor(tuple(features[: self.levels]), bbox2roi(boxes))


def pyramid_strides(detector: Any) -> list[int] | None:
    """Strides of a detector's pyramid, from its RoI extractor or its priors; None if unknown."""
    extractors = stages(getattr(getattr(detector, "roi_head", None), "bbox_roi_extractor", None))
    if extractors:
        return list(extractors[0].featmap_strides)
    priors = getattr(getattr(detector, "bbox_head", None), "prior_generator", None)
    if priors is None:
        return None
    return [stride[0] if isinstance(stride, tuple) else stride for stride in priors.strides]
