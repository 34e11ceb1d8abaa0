"""Boxes in float32 under autocast: numbers of half precision are too coarse for pixels.

float16 has no number above 65504: the area of a box of 256 x 256 pixels overflows, so boxes of up
to 447 pixels would be pooled from a level that is too coarse. bfloat16 counts from 1024 on in
steps of 8 pixels. So convolutions compute in half precision, and coordinates never do.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.dense_heads import DETRHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from torch import Tensor, nn

from .weights.boxes import Mixin
from .weights.honor import apply_mixin

HALF = (torch.float16, torch.bfloat16)


def keep_boxes_precise(network: nn.Module) -> None:
    """Let a detector compute boxes in float32 under autocast too.

    Its parts stay what they are (instances of their classes, same state dict) and can be copied.
    Without autocast nothing changes. Call it once, when the detector is built.
    """
    for module in list(network.modules()):
        for kind, mixin in KINDS:
            if isinstance(module, kind):
                apply_mixin(module, mixin)


class PreciseRegions(Mixin):
    """A RoI extractor: it would make boxes as coarse as the features they are pooled from."""

    def forward(self, feats: Any, rois: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As in the base class; levels, places and the pooled features are computed in float32."""
        dtype = feats[0].dtype
        found: Tensor = super().forward(in_float32(tuple(feats)), in_float32(rois), *args, **kwargs)
        return found.to(dtype)


class PreciseMaps(Mixin):
    """A dense head: it would make its priors as coarse as its outputs, and decode boxes from them.

    (Anchors and points take over the type of the maps, in losses of points as well.)
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class, the maps in float32."""
        return in_float32(super().forward(*args, **kwargs))


class PreciseQueries(Mixin):
    """The head of a DETR: it adds to reference points and takes shares of the image from it."""

    # `forward` keeps its signature, from which callers read what to pass.
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class, in float32: a few small layers on some hundred queries."""
        args, kwargs = in_float32(args), {key: in_float32(v) for key, v in kwargs.items()}
        device = next(self.parameters()).device.type  # type: ignore[attr-defined]
        with torch.autocast(device, enabled=False):
            return super().__call__(*args, **kwargs)


KINDS = (
    (BaseRoIExtractor, PreciseRegions),
    (DETRHead, PreciseQueries),
    (BaseDenseHead, PreciseMaps),
)


def in_float32(value: Any) -> Any:
    """Tensors of half precision, in tuples and lists of any depth, as float32."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in HALF else value
    if isinstance(value, (tuple, list)):
        return type(value)(in_float32(each) for each in value)
    return value
