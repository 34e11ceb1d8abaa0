"""Heads through which MMSegmentation sees the segmentors of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.utils import reduce_mean
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ..losses.mask_sets import MaskSetLoss, MaskTargets


class HFPixelHead(BaseDecodeHead):
    """A decode head of transformers that gives a map of logits for each class.

    The layers stay parts of the network that they were built in; this head only calls them.

    Args:
        layers: The decode head of the library.
        num_classes: Number of classes.
        ignore_index: Label of the pixels that no loss sees.
    """

    def __init__(self, layers: nn.Module, num_classes: int, *, ignore_index: int) -> None:
        super().__init__(
            in_channels=1,
            channels=1,
            num_classes=num_classes,
            ignore_index=ignore_index,
            dropout_ratio=0.0,
            loss_decode=dict(type="mmseg.CrossEntropyLoss", avg_non_ignore=True),
        )
        del self.conv_seg  # the library's own classifies
        self.library = [layers]  # a list, so that the weights have one name

    def init_weights(self) -> None:
        """The network does that."""

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits (B, C, h, w)."""
        return self.library[0](features)  # type: ignore[no-any-return]


class HFMaskHead(nn.Module):
    """Losses and predictions of queries with a class and a mask each.

    Args:
        config: The model's config, with the weights of the losses.
        num_classes: Number of classes.
        ignore_index: Label of the pixels that no loss sees.
    """

    honors_weights = True
    align_corners = False

    def __init__(self, config: Any, num_classes: int, *, ignore_index: int) -> None:
        super().__init__()
        self.num_classes = self.out_channels = num_classes
        self.ignore_index = ignore_index
        weights = (config.class_weight, config.mask_weight, config.dice_weight)
        self.criterion = MaskSetLoss(
            costs=weights,
            weights=weights,
            nothing=config.no_object_weight,
            points=config.train_num_points,
            oversampling=config.oversample_ratio,
            uncertain=config.importance_sample_ratio,
        )
        # Weights (B, H, W) of the pixels while `PixelWeights` gives them; None: all are 1.
        self.pixel_weights: Tensor | None = None

    def forward(self, features: Any) -> Any:
        """Classes and masks of all layers, as they are."""
        return features

    def loss(self, features: Any, samples: Sequence[Any], _: Any) -> dict[str, Tensor]:
        """Losses of all layers, the last one's without a number."""
        maps = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
        weights = self.pixel_weights
        weights = torch.ones_like(maps, dtype=torch.float32) if weights is None else weights
        targets = [
            MaskTargets.of_map(one, weight, self.ignore_index)
            for one, weight in zip(maps, weights, strict=True)
        ]
        count = weights.new_tensor(float(sum(len(target.labels) for target in targets)))
        count = reduce_mean(count).clamp(min=1.0)
        losses, last = {}, len(features[0]) - 1
        for number, (logits, masks) in enumerate(zip(*features, strict=True)):
            prefix = "" if number == last else f"d{number}."
            matches = self.criterion.match(logits, masks, targets)
            for name, value in self.criterion(logits, masks, targets, matches, count).items():
                losses[f"{prefix}loss_{name}"] = value
        return losses

    def predict(self, features: Any, metas: Sequence[dict[str, Any]], _: Any) -> Tensor:
        """Class times mask, summed over the queries, (B, C, H, W) as in MMSegmentation."""
        classes, masks = (layers[-1].float() for layers in features)
        masks = F.interpolate(masks, size=metas[0]["img_shape"][:2], mode="bilinear")
        return torch.einsum("bqc,bqhw->bchw", classes.softmax(-1)[..., :-1], masks.sigmoid())
