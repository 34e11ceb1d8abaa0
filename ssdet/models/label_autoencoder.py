"""A denoising auto-encoder of label maps: what shapes are plausible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import MODELS
from .averaged import Averaged


@MODELS.register_module()
class LabelAutoEncoder(Averaged):
    """Label maps -> logits of plausible label maps, through a narrow embedding.

    The shape prior of "Anatomically-aware uncertainty" (MICCAI 2022), for slices. Maps of any size
    are resized to one, so that the embedding sees the whole shape. The network has group
    norm and no dropout: its output is the same in training and in eval mode.

    Args:
        num_classes: Classes of the segmentor, the background among them.
        size: (height, width) to which maps are resized; multiples of 2^stages.
        one_hot: One channel for each class. Else one channel with the number of the class, as
            published, which treats classes of close numbers as similar.
        channels: Of the first stage; each following one has twice as many.
        stages: How often the size is halved.
        embedding: Length of the narrowest layer.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        size: Sequence[int] = (64, 64),
        one_hot: bool = True,
        channels: int = 16,
        stages: int = 4,
        embedding: int = 512,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        step = 2**stages
        if num_classes < 2 or any(side % step or side < step for side in size):
            raise ValueError(
                f"LabelAutoEncoder: num_classes={num_classes} must be at least 2 and both sides of "
                f"size={tuple(size)} multiples of 2^stages = {step}"
            )
        widths = [channels * 2**n for n in range(stages)]
        small = (widths[-1], size[0] // step, size[1] // step)
        length = small[0] * small[1] * small[2]
        down = [num_classes if one_hot else 1, *widths]
        up = [*widths[::-1], channels]
        learner = nn.Sequential(
            *(_halved(a, b) for a, b in pairwise(down)),
            nn.Flatten(),
            nn.Linear(length, embedding),
            nn.ReLU(inplace=True),
            nn.Linear(embedding, length),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, small),
            *(_doubled(a, b) for a, b in pairwise(up)),
            nn.Conv2d(channels, num_classes, 1),
        )
        super().__init__(learner, init_cfg)
        self.num_classes, self.size, self.one_hot = num_classes, (size[0], size[1]), one_hot

    def resized(self, labels: Tensor) -> Tensor:
        """Label maps (B, H, W) in the size of the network."""
        return F.interpolate(labels[:, None].float(), self.size, mode="nearest")[:, 0].long()

    def encode(self, labels: Tensor) -> Tensor:
        """Label maps (B, h, w) without 255 as the network's input, in its size."""
        if not self.one_hot:
            return labels[:, None].float()
        return F.one_hot(labels, self.num_classes).movedim(-1, 1).float()

    def plausible(self, labels: Tensor) -> Tensor:
        """Probabilities (B, C, H, W), each class for itself, of what the labels should look like.

        The labels (B, H, W) hold no 255. The frozen copy predicts them.
        """
        logits = self.average(self.encode(self.resized(labels))).float()
        return F.interpolate(logits.sigmoid(), labels.shape[-2:], mode="bilinear")


def _halved(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1),
        nn.GroupNorm(_groups(after), after),
        nn.ReLU(inplace=True),
    )


def _doubled(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(before, after, 3, padding=1),
        nn.GroupNorm(_groups(after), after),
        nn.ReLU(inplace=True),
    )


def _groups(channels: int) -> int:
    return next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
