"""The heads with which features of a class are pulled together."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class CompactnessHead(BaseModule):
    """Projection, prediction, and for each class how much a pixel counts (SS-Net).

    Args:
        in_channels: Of the decode head: its `channels`.
        num_classes: Of the segmentor.
        channels: Of the features that are compared.
        hidden: Of the layer in between.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        channels: int = 32,
        hidden: int = 32,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.projection = _two_layers(in_channels, hidden, channels)
        self.prediction = _two_layers(channels, hidden, channels)
        self.selection = nn.Sequential(
            nn.Linear(channels, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, num_classes)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted features (N, channels) and weights (N, num_classes) of N pixels."""
        found = self.prediction(self.projection(features))
        # The weights only compare pixels: no feature moves to weigh less.
        return found, self.selection(found.detach()).float().sigmoid()

    @torch.no_grad()
    def remembered(self, features: Tensor) -> Tensor:
        """Projected features (N, channels), by the statistics at rest."""
        training = self.projection.training
        self.projection.eval()
        found = self.projection(features)
        self.projection.train(training)
        return found


def _two_layers(given: int, hidden: int, made: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(given, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, made)
    )
