"""A classifier of the domain of each place of a detector's feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class DomainClassifier(BaseModule):
    """For each place of each level a logit: does it show an unlabeled image?

    That of Efficient Teacher (Xu et al., 2023): two 1x1 convolutions with a ReLU between them, of
    their own for each level.

    Args:
        in_channels: Of each level that the neck gives, such as (256, 256, 256).
    """

    def __init__(self, in_channels: Sequence[int], init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.in_channels = tuple(in_channels)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 1, bias=False),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, 1, 1, bias=False),
            )
            for width in self.in_channels
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps (B, C, H, W) of all levels -> the logits of all places (N,)."""
        found = tuple(level.shape[1] for level in features)
        if found != self.in_channels:
            raise ValueError(
                f"DomainClassifier: in_channels={list(self.in_channels)}, but the neck gives maps "
                f"of {list(found)} channels. Set in_channels={list(found)}."
            )
        pairs = zip(self.levels, features, strict=True)
        return torch.cat([level(one).flatten() for level, one in pairs])
