"""Content of decoder queries from the pooled features of boxes."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class QueryProjector(BaseModule):
    """Two convolutions and two linear layers: pooled features (N, C, S, S) -> queries (N, C).

    Semi-DETR (CVPR 2023). Published with batch norm, which needs two boxes at least and makes each
    depend on the others; here channels of a box are normalized in groups.

    Args:
        channels: C, those of the detector's queries and features.
        hidden: Of the first linear layer.
        size: S.
        groups: Of the normalization.
    """

    def __init__(
        self,
        channels: int = 256,
        hidden: int = 1024,
        size: int = 7,
        groups: int = 32,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if channels % groups:
            raise ValueError(
                f"QueryProjector: channels={channels} are no multiple of groups={groups}; set "
                "groups to a divisor of it"
            )
        self.channels, self.size = channels, size
        self.convs = nn.Sequential(*_convolution(channels, groups), *_convolution(channels, groups))
        self.layers = nn.Sequential(
            nn.Linear(channels * size * size, hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, pooled: Tensor) -> Tensor:
        """Queries (N, C)."""
        found: Tensor = self.layers(self.convs(pooled).flatten(1))
        return found


@MODELS.register_module()
class RefinedQueryProjector(QueryProjector):
    """The encoder's features of a box look at the finest ones first.

    Inspired by the query refinement of Sparse Semi-DETR (Shehzadi et al., CVPR 2024), of which no
    code is public: it joins low- and high-level features, chiefly for small objects; how is ours.

    Args:
        heads: Of the attention.
        **projector: As for `QueryProjector`.
    """

    def __init__(self, *, heads: int = 8, **projector: Any) -> None:
        super().__init__(**projector)
        self.attention = nn.MultiheadAttention(self.channels, heads, batch_first=True)
        self.norm = nn.LayerNorm(self.channels)

    def forward(self, pooled: Tensor, fine: Tensor) -> Tensor:  # type: ignore[override]
        """Queries (N, C) of what is pooled from the encoder and from the finest level."""
        own, finest = (maps.flatten(2).transpose(1, 2) for maps in (pooled, fine))
        seen, _ = self.attention(own, finest, finest, need_weights=False)
        return super().forward(self.norm(own + seen).transpose(1, 2).reshape_as(pooled))


def _convolution(channels: int, groups: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    return [convolution, nn.GroupNorm(groups, channels), nn.ReLU(inplace=True)]
