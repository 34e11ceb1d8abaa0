"""A head that gives each pixel a feature to compare it by."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from ..validation import check_range


@MODELS.register_module()
class PixelProjector(BaseModule):
    """Features of pixels for a contrast: convolutions over those that the last layer classifies.

    Args:
        in_channels: Of the decode head: its `channels`.
        channels: Of each convolution, and of the features.
        convs: How many 3x3 convolutions, each with a norm, ReLU and dropout, come before the last
            one of 1x1.
        dropout: Probability that a channel is dropped, in [0, 1).
        norm_cfg: Of the 3x3 convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int = 256,
        convs: int = 2,
        dropout: float = 0.1,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_range(type(self).__name__, "convs", convs, 0, float("inf"))
        check_range(type(self).__name__, "dropout", dropout)
        self.channels = channels
        layers: list[nn.Module] = []
        widths = [in_channels, *[channels] * convs]
        for before, after in pairwise(widths):
            norm = norm_cfg or {"type": "BN"}
            layers += [ConvModule(before, after, 3, padding=1, bias=True, norm_cfg=norm)]
            layers += [nn.Dropout2d(dropout)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, channels, h, w)."""
        return self.layers(features)
