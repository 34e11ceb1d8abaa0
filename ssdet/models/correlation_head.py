"""The head that says which pixels belong together."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from ..validation import check_range


@MODELS.register_module()
class CorrelationHead(BaseModule):
    """Two projections of the encoder's features, whose products correlate pixels (CorrMatch).

    A 3x3 convolution and a dropout of channels, then two 1x1 convolutions to as many channels as
    there are classes.

    Args:
        in_channels: Of the level that it reads.
        num_classes: Of the decode head.
        channels: Between the two steps.
        level: Which of the encoder's levels; -1 is the deepest.
        dropout: Probability that a channel is dropped, in [0, 1).
        max_side: Larger maps are reduced to this side: correlating N pixels takes N^2 numbers.
        norm_cfg: Of the 3x3 convolution.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        channels: int = 256,
        level: int = -1,
        dropout: float = 0.1,
        max_side: int = 64,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        check_range(name, "max_side", max_side, 1, float("inf"))
        check_range(name, "dropout", dropout)
        self.num_classes, self.level, self.max_side = num_classes, level, int(max_side)
        norm = norm_cfg or {"type": "BN"}
        self.project = ConvModule(in_channels, channels, 3, padding=1, bias=True, norm_cfg=norm)
        self.dropout = nn.Dropout2d(dropout)
        self.first = nn.Conv2d(channels, num_classes, 1)
        self.second = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Any) -> tuple[Tensor, Tensor]:
        """The two projections (B, num_classes, h, w) of what the encoder gave."""
        level = features[self.level]
        found: Tensor = level if isinstance(level, Tensor) else level[0]  # beside a class token
        side = max(found.shape[-2:])
        if side > self.max_side:
            height, width = (max(1, n * self.max_side // side) for n in found.shape[-2:])
            found = F.interpolate(found, (height, width), mode="area")
        projected = self.dropout(self.project(found))
        return self.first(projected), self.second(projected)
