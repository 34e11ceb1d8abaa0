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
        convs: How many convolutions, each with a norm, ReLU and dropout, come before the last one
            of 1x1.
        kernel: Their size, which is odd.
        dropout: Probability that a channel is dropped, in [0, 1).
        norm_cfg: Of these convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int = 256,
        convs: int = 2,
        kernel: int = 3,
        dropout: float = 0.1,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_range(type(self).__name__, "convs", convs, 0, float("inf"))
        check_range(type(self).__name__, "dropout", dropout)
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"PixelProjector: kernel={kernel!r} is no odd number from 1 on")
        self.channels = channels
        layers: list[nn.Module] = []
        widths = [in_channels, *[channels] * convs]
        shape = dict(kernel_size=kernel, padding=kernel // 2, bias=True)
        for before, after in pairwise(widths):
            norm = norm_cfg or {"type": "BN"}
            layers += [ConvModule(before, after, norm_cfg=norm, **shape), nn.Dropout2d(dropout)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, channels, h, w)."""
        return self.layers(features)
