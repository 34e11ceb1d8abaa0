"""Batches as detectors of transformers take them: how far they are padded, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .hf_criterion import GROUPED, STRIDE_32

MULTIPLE = 32


def fitted(inputs: Tensor, config: Any) -> Tensor:
    """A batch padded at the right and the bottom, as far as a model with this config needs it.

    The windows of LW-DETR and RF-DETR have to be whole; RF-DETR mixes the rows of windows up in
    images that are not square (transformers 5.24). Models that pick their queries from the places
    of their maps need that many places.
    """
    kind = config.model_type
    if kind in STRIDE_32:
        return large_enough(inputs, config.feat_strides, config.num_queries)
    if kind not in GROUPED:
        return inputs
    multiple, square = window_multiple(config), kind == "rf_detr"
    sides = [max(inputs.shape[-2:])] * 2 if square else inputs.shape[-2:]
    height, width = (math.ceil(side / multiple) * multiple for side in sides)
    inputs = F.pad(inputs, (0, width - inputs.shape[-1], 0, height - inputs.shape[-2]))
    scales = (1.0,) if square else config.projector_scale_factors
    strides = [int(config.backbone_config.patch_size / scale) for scale in scales]
    return large_enough(inputs, strides, config.num_queries, multiple)


def window_multiple(config: Any) -> int:
    """The side of a patch times the windows along a side, of LW-DETR and RF-DETR."""
    vit = config.backbone_config
    across = vit.num_windows if config.model_type == "rf_detr" else vit.num_windows_side
    return int(vit.patch_size * across)


def pixel_mask(inputs: Tensor, samples: Sequence[Any] | None) -> Tensor:
    """1 where a batch (B, C, H, W) shows its images, 0 in the padding."""
    height, width = inputs.shape[-2:]
    mask = torch.ones(len(inputs), height, width, dtype=torch.long, device=inputs.device)
    for own, sample in zip(mask, samples or (), strict=False):
        shape = sample.metainfo.get("img_shape", (height, width))
        own[shape[0] :] = 0
        own[:, shape[1] :] = 0
    return mask


def large_enough(
    inputs: Tensor, strides: Sequence[int], queries: int, multiple: int = MULTIPLE
) -> Tensor:
    """Small images are padded, where a model picks its queries from the places of its maps."""
    more = 0
    height, width = inputs.shape[-2:]
    while sum(((height + more) // s) * ((width + more) // s) for s in strides) < queries:
        more += multiple
    return F.pad(inputs, (0, more, 0, more)) if more else inputs
