"""The head of DeepLabV3+ with plain convolutions."""

from __future__ import annotations

from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import DepthwiseSeparableASPPHead
from mmseg.models.decode_heads.aspp_head import ASPPModule
from torch import nn

from ..registry import MODELS
from ..validation import check_choice


@MODELS.register_module()
class PlainASPPHead(DepthwiseSeparableASPPHead):
    """DeepLabV3+ as the semi-supervised literature trains it: no convolution is separable.

    Args:
        join: Kernel size of the convolution that joins the branches of the ASPP: 1 as in UniMatch,
            or 3 as in U2PL and in MMSegmentation's head.
        **head: Of `DepthwiseSeparableASPPHead`.
    """

    def __init__(self, *, join: int = 1, **head: Any) -> None:
        check_choice(type(self).__name__, "join", join, (1, 3))
        super().__init__(**head)
        layers: dict[str, Any] = dict(
            conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )
        width, branches = self.channels, len(self.dilations) + 1
        self.aspp_modules = ASPPModule(self.dilations, self.in_channels, width, **layers)
        self.bottleneck = ConvModule(branches * width, width, join, padding=join // 2, **layers)
        low = self.c1_bottleneck.out_channels if self.c1_bottleneck is not None else 0
        self.sep_bottleneck = nn.Sequential(  # the base class calls it so
            ConvModule(width + low, width, 3, padding=1, **layers),
            ConvModule(width, width, 3, padding=1, **layers),
        )
