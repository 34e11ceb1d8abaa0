"""A decoder of a UNet that is a head of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmseg.models.backbones.unet import BasicConvBlock
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import UpConvBlock
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class UNetDecoderHead(BaseDecodeHead):
    """The way up through a UNet, from the maps of its encoder, with an upsampling of its own.

    MMSegmentation's `UNet` has its decoder inside; this one reads the maps of the same encoder, the
    layers `backbone.encoder.0` and so on, beside it.

    Args:
        in_channels: Of each map, the largest map first.
        upsample_cfg: `InterpConv` or `DeconvModule` of MMSegmentation.
        num_convs: Convolutions of each level.
        act_cfg: Behind each of them.
        **head: Of `BaseDecodeHead`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        upsample_cfg: dict[str, Any] | None = None,
        num_convs: int = 2,
        act_cfg: dict[str, Any] | None = None,
        **head: Any,
    ) -> None:
        act = act_cfg or {"type": "LeakyReLU"}
        super().__init__(
            in_channels=list(in_channels),
            channels=in_channels[0],
            in_index=list(range(len(in_channels))),
            input_transform="multiple_select",
            act_cfg=act,
            **head,
        )
        self.levels = nn.ModuleList(
            UpConvBlock(
                conv_block=BasicConvBlock,
                in_channels=deep,
                skip_channels=shallow,
                out_channels=shallow,
                num_convs=num_convs,
                norm_cfg=self.norm_cfg,
                act_cfg=act,
                upsample_cfg=upsample_cfg or {"type": "InterpConv"},
            )
            for deep, shallow in pairwise(reversed(in_channels))
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits in the size of the first map."""
        *skips, found = inputs
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            found = level(skip, found)
        return self.cls_seg(found)
