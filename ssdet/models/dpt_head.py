"""The decoder of DPT for images of any number of patches."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import DPTHead
from mmseg.models.decode_heads.dpt_head import PreActResidualConvUnit
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class ExactDPTHead(DPTHead):
    """MMSegmentation's `DPTHead`, resized to the exact size of each skip, as UniMatch V2 does.

    The plain head doubles every level. Of 37 patches the coarsest level has 19, so it uses
    38, 76 and 152 and stretches the skips of 37, 74 and 148 to these. Without a norm its residual
    convolutions have a bias, as published; the plain head has none there.
    """

    def __init__(self, **head: Any) -> None:
        super().__init__(**head)
        for unit in self.modules():
            if isinstance(unit, PreActResidualConvUnit) and not unit.conv1.with_norm:
                for conv in (unit.conv1.conv, unit.conv2.conv):
                    conv.bias = nn.Parameter(torch.zeros(conv.out_channels))

    def forward(self, inputs: Any) -> Tensor:
        """Logits (B, C, H, W) from the four levels of the encoder; twice the size of the finest."""
        levels = self.reassemble_blocks(self._transform_inputs(inputs))
        skips = [conv(level) for conv, level in zip(self.convs, levels, strict=True)][::-1]
        out = skips[0]
        for number, block in enumerate(self.fusion_blocks):
            if number:
                out = out + block.res_conv_unit1(skips[number])
            out = block.res_conv_unit2(out)
            last = number + 1 == len(skips)
            size = [2 * n for n in out.shape[-2:]] if last else skips[number + 1].shape[-2:]
            out = F.interpolate(out, size, mode="bilinear", align_corners=block.align_corners)
            out = block.project(out)
        return self.cls_seg(self.project(out))
