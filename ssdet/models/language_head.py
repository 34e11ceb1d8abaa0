"""SemiVL's decode head: similarities with texts, refined class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ..registry import MODELS
from .clip import ClassTexts

GROUP = 16  # channels of a group of the normalization


@MODELS.register_module()
class LanguageGuidedHead(BaseDecodeHead):
    """Refine how similar each patch is to the name of each class, over places and over classes.

    SemiVL (Hoyer et al., ECCV 2024). The maps of similarities, one for each class, are images of
    one channel to convolutions that all classes share; between them, at each place, the classes
    attend to each other beside their texts. Two transposed convolutions with maps of earlier
    blocks of the encoder make them four times as large.

    Args:
        in_channels: Of the maps of a `CLIPBackbone`: early, late, directions.
        concepts: For each class its names; each is refined, and the best one is the class.
        texts: The CLIP that encodes them; None: random directions.
        channels: While similarities are refined.
        up_channels, skip_channels: Of both steps up, and of the maps beside them (late, early).
        pool: Places that attend as one, in each direction.
        heads: Of the attention among classes.
        average, template: See `ClassTexts`.
        **head: Of `BaseDecodeHead`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        concepts: Sequence[Sequence[str]],
        num_classes: int,
        texts: str | None = None,
        channels: int = 128,
        up_channels: Sequence[int] = (64, 32),
        skip_channels: Sequence[int] = (32, 16),
        pool: int = 4,
        heads: int = 4,
        average: bool = False,
        template: str = "a photo of a {}",
        **head: Any,
    ) -> None:
        super().__init__(
            in_channels=list(in_channels), channels=channels, num_classes=num_classes,
            input_transform="multiple_select", in_index=[0, 1, 2], dropout_ratio=0.0, **head,
        )  # fmt: skip
        name = type(self).__name__
        if len(concepts) != num_classes:
            raise ValueError(
                f"{name}: concepts has {len(concepts)} classes and num_classes={num_classes}. Give "
                "the names of each class of the data, in its order."
            )
        self.conv_seg: Any = None  # what projects to classes is the similarity with texts
        self.init_cfg = None
        early, late, dim = in_channels
        self.texts = ClassTexts(
            name, concepts, dim, pretrained=texts, template=template, average=average
        )
        self.pool = int(pool)
        self.enter = nn.Conv2d(1, channels, 7, padding=3)
        self.places = _Pyramid(channels)
        self.describe = nn.Sequential(nn.Linear(dim, channels), nn.ReLU())
        self.among = nn.ModuleList(
            nn.TransformerEncoderLayer(2 * channels, heads, 4 * channels, 0.0, batch_first=True)
            for _ in range(2)
        )
        sizes = zip((channels, up_channels[0]), (late, early), skip_channels, up_channels,
                    strict=True)  # fmt: skip
        self.ups = nn.ModuleList(_Up(*given) for given in sizes)
        self.leave = nn.Conv2d(up_channels[1], 1, 3, padding=1)

    def init_weights(self) -> None:
        """Encode the names."""
        super().init_weights()
        self.texts.read()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits (B, C, 4 h, 4 w)."""
        early, late, directions = self._transform_inputs(inputs)
        similar = self.texts.similarities(F.normalize(directions.float(), dim=1))
        images, names = similar.shape[:2]
        maps = self.places(self.enter(similar.flatten(0, 1)[:, None]))
        text = self.describe(self.texts.features)
        for layer in self.among:
            maps = maps + self._among_classes(layer, maps, text, images)
        for up, skip in zip(self.ups, (late, early), strict=True):
            maps = up(maps, skip.repeat_interleave(names, 0))
        return self.texts.best(self.leave(maps).view(images, names, *maps.shape[-2:]))

    def _among_classes(self, layer: Any, maps: Tensor, text: Tensor, images: int) -> Tensor:
        """What the classes (B K, C, h, w) tell each other at each place."""
        size = maps.shape[-2:]
        window = (min(self.pool, size[0]), min(self.pool, size[1]))
        small = F.avg_pool2d(maps, window, ceil_mode=True)
        names, (height, width) = len(text), small.shape[-2:]
        seen = small.view(images, names, -1, height * width).permute(0, 3, 1, 2).flatten(0, 1)
        pair = torch.cat([seen, text.expand(len(seen), -1, -1)], dim=-1)
        told = layer(pair)[..., : seen.shape[-1]]
        told = told.view(images, height * width, names, -1).permute(0, 2, 3, 1)
        told = told.reshape(images * names, -1, height, width)
        return F.interpolate(told, size, mode="bilinear", align_corners=False)


def _norm(channels: int) -> dict[str, Any]:
    return dict(type="GN", num_groups=max(1, channels // GROUP))


class _Pyramid(nn.Module):
    """Convolutions of several dilations and the mean of the map, added to what they got."""

    def __init__(self, channels: int, dilations: Sequence[int] = (1, 6, 12, 18)) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            ConvModule(channels, channels, 1 if rate == 1 else 3, padding=0 if rate == 1 else rate,
                       dilation=rate, norm_cfg=_norm(channels))
            for rate in dilations
        )  # fmt: skip
        self.whole = ConvModule(channels, channels, 1)
        self.join = ConvModule(
            (len(dilations) + 1) * channels, channels, 3, padding=1, norm_cfg=_norm(channels)
        )

    def forward(self, maps: Tensor) -> Tensor:
        mean = self.whole(maps.mean((2, 3), keepdim=True)).expand_as(maps)
        return maps + self.join(torch.cat([mean, *(branch(maps) for branch in self.branches)], 1))


class _Up(nn.Module):
    """Twice as large, beside a map of an earlier block."""

    def __init__(self, given: int, skipped: int, skip: int, made: int) -> None:
        super().__init__()
        wide = max(made * 3 // 2, 1)
        self.enlarge = nn.ConvTranspose2d(given, wide, 2, stride=2)
        self.reduce = ConvModule(skipped, skip, 3, padding=1)
        self.join = nn.Sequential(
            ConvModule(wide + skip, made, 3, padding=1, norm_cfg=_norm(made)),
            ConvModule(made, made, 3, padding=1, norm_cfg=_norm(made)),
        )

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        large = self.enlarge(maps)
        beside = F.interpolate(
            self.reduce(skip), large.shape[-2:], mode="bilinear", align_corners=False
        )
        return self.join(torch.cat([large, beside], dim=1))
