"""Projections of what a head has computed: to other classes, or to features to compare."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class ProjectionHead(BaseModule):
    """Logits from the features that a decode head projects to its classes: a 1x1 convolution.

    Args:
        in_channels: Of these features: the decode head's `channels`.
        num_classes: Its own classes, which need not be those of the decode head.
    """

    def __init__(
        self, in_channels: int, num_classes: int, init_cfg: dict[str, Any] | None = None
    ) -> None:
        if num_classes < 2:
            raise ValueError(
                f"ProjectionHead: num_classes={num_classes!r} is below 2; count the background"
            )
        default = {"type": "Normal", "std": 0.01, "layer": "Conv2d"}
        super().__init__(init_cfg or default)
        self.in_channels, self.num_classes = in_channels, num_classes
        self.conv = nn.Conv2d(in_channels, num_classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, num_classes, H, W)."""
        return self.conv(features)


@MODELS.register_module()
class FeatureProjector(BaseModule):
    """Features of boxes to compare, or to judge: two linear layers over what the classifier sees.

    Args:
        in_channels: Features of a box: `fc_out_channels` of the box head.
        hidden: Of the layer in between.
        channels: Of the features.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        hidden: int = 1024,
        channels: int = 128,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.channels = channels
        self.layers = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels) -> (N, channels)."""
        return self.layers(features)
