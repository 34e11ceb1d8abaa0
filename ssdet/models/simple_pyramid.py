"""A feature pyramid from one map, for plain vision transformers (ViTDet, Li et al., ECCV 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from ..validation import check_range


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Levels of 4, 2, 1 and 1/2 times the size of the last map, and coarser ones by pooling.

    For a map of stride 16 these are the strides 4, 8, 16 and 32. Every level ends in a 1x1 and a
    3x3 convolution, each with layer norm over the channels.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the levels.
        num_outs: Number of levels, 4 or more.
        start: Which of 4, 2, 1, 1/2 is the first level: 1 leaves out the largest one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        *,
        num_outs: int = 5,
        start: int = 0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_range(type(self).__name__, "start", start, 0, 3)
        check_range(type(self).__name__, "num_outs", num_outs, 1, float("inf"))
        half, quarter = in_channels // 2, in_channels // 4
        larger: list[tuple[nn.Module, int]] = [
            (nn.Sequential(_double(in_channels, half), LayerNorm2d(half), nn.GELU(),
                           _double(half, quarter)), quarter),
            (_double(in_channels, half), half),
            (nn.Identity(), in_channels),
            (nn.MaxPool2d(2, 2), in_channels),
        ]  # fmt: skip
        chosen = larger[start:][:num_outs]
        self.levels = nn.ModuleList(
            nn.Sequential(
                scale,
                nn.Conv2d(channels, out_channels, 1, bias=False),
                LayerNorm2d(out_channels),
                nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
                LayerNorm2d(out_channels),
            )
            for scale, channels in chosen
        )
        self.pooled = num_outs - len(chosen)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The levels, the largest first."""
        found = [level(maps[-1]) for level in self.levels]
        for _ in range(self.pooled):
            found.append(F.max_pool2d(found[-1], 1, stride=2))
        return tuple(found)


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of a map (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, maps: Tensor) -> Tensor:
        """The map, normalized place by place."""
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _double(in_channels: int, out_channels: int) -> nn.Module:
    return nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
