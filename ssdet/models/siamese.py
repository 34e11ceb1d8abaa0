"""Segmentation of pairs of images: what changed between two times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from ..registry import MODELS
from ..validation import check_choice

Fusion = Literal["difference", "concat"]


@MODELS.register_module()
class SiameseSegmentor(EncoderDecoder):
    """An `EncoderDecoder` whose backbone sees two images, and whose head sees both features as one.

    A pair is one image of twice as many channels (`LoadImagePair`), first all channels of the
    earlier image, so that crops, flips, CutMix and padding treat both alike. Both images take one
    pass of the backbone and the neck (and share its batch statistics); each level is then fused.
    Everything after that, losses and sliding windows too, is MMSegmentation's.

    Args:
        fusion: "difference" is |f_A - f_B|, which does not know which image is the earlier one;
            "concat" puts f_B after f_A, so the heads need twice the `in_channels`.
        **parts: See `EncoderDecoder`; the backbone is one for single images.
    """

    def __init__(self, *, fusion: Fusion = "difference", **parts: Any) -> None:
        check_choice(type(self).__name__, "fusion", fusion, Fusion)
        super().__init__(**parts)
        self.fusion = fusion

    def extract_feat(self, inputs: Tensor) -> Any:
        """The fused features of pairs (B, 2C, H, W)."""
        if inputs.shape[1] % 2:
            raise ValueError(
                f"{type(self).__name__}: {inputs.shape[1]} channels are not a pair of images; load "
                "pairs with LoadImagePair and normalize them with PairDataPreProcessor"
            )
        return self.fuse(super().extract_feat(torch.cat(inputs.chunk(2, dim=1))))

    def fuse(self, features: Any) -> Any:
        """One map for each pair, from those of all earlier images and, behind them, all later ones.

        Hooks that need each image for itself listen here (`DateDecodersHook`).
        """
        return self._fused(features)

    def _fused(self, features: Any) -> Any:
        if not isinstance(features, Tensor):
            return type(features)(self._fused(level) for level in features)
        earlier, later = features.chunk(2)
        if self.fusion == "concat":
            return torch.cat([earlier, later], dim=1)
        return (earlier - later).abs()


@MODELS.register_module()
class PairDataPreProcessor(SegDataPreProcessor):
    """MMSegmentation's `SegDataPreProcessor` for inputs that hold several images.

    The mean, the deviation and the order of colors are given for one image and hold for each.

    Args:
        mean, std: Of one image.
        images: How many images an input holds.
        **options: See `SegDataPreProcessor`.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        *,
        images: int = 2,
        **options: Any,
    ) -> None:
        super().__init__(mean=list(mean), std=list(std), **options)
        self.images, self.channels = images, images * len(mean)
        for name in ("mean", "std"):
            setattr(self, name, self.get_buffer(name).repeat(images, 1, 1))

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Reorder the colors of each image, then do what the parent does."""
        found = {len(stacked) for stacked in data["inputs"]} - {self.channels}
        if found:
            raise ValueError(
                f"{type(self).__name__}: found {min(found)} channels, but {self.images} images "
                f"have {self.channels}. Load them with LoadImagePair"
            )
        if self._channel_conversion:
            # The parent reorders images of three channels and leaves all others as they are.
            data = {**data, "inputs": [self._turned(stacked) for stacked in data["inputs"]]}
        return super().forward(data, training)

    def _turned(self, stacked: Tensor) -> Tensor:
        return stacked.unflatten(0, (self.images, -1)).flip(1).flatten(0, 1)
