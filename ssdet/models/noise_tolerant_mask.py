"""Learning masks from noisy pseudo masks: a head with a coarse branch, and a loss of boundaries."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmengine.config import ConfigDict
from torch import Tensor, nn

from ..losses.boundaries import boundary_map
from ..registry import MODELS
from ..teacher_student.weights.boxes import complete
from ..teacher_student.weights.dense import nonempty
from ..teacher_student.weights.honor import apply_mixin
from ..teacher_student.weights.losses import (
    QueuedLoss,
    WeightedMaskLoss,
    queue_weights,
    wrapping_of,
)
from ..validation import check_choice, check_range

Boundary = Literal["pixel", "mean", "none"]


@MODELS.register_module()
class BoundaryMaskLoss(QueuedLoss, nn.Module):
    """Binary cross entropy of the masks of regions, which weighs most where the prediction changes.

    Noisy Boundaries (Wang et al., CVPR 2022): pseudo masks are wrong at boundaries above all. It
    takes the place of `CrossEntropyLoss(use_mask=True)` in any mask head.

    Args:
        boundary: "pixel": each pixel has the weight that `ssdet.losses.boundaries.boundary_map`
            says. "mean": all have the mean of these, `factor`, which is what the authors' code
            does. "none": all have weight 1.
        factor: The mean weight of the pixels of a region.
        loss_weight: Factor on the loss.
    """

    def __init__(
        self, boundary: Boundary = "pixel", factor: float = 3.0, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_choice(name, "boundary", boundary, Boundary)
        check_range(name, "factor", factor, 0, float("inf"))
        self.boundary, self.factor, self.loss_weight = boundary, factor, loss_weight

    def forward(self, pred: Tensor, target: Tensor, label: Tensor) -> Tensor:
        """Of logits (N, K, h, w), masks (N, h, w) and classes (N,); the mean over all pixels."""
        logits = pred[torch.arange(len(pred), device=pred.device), label].float()
        loss = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
        if self.boundary == "pixel":
            loss = loss * boundary_map(logits.sigmoid(), self.factor)
        elif self.boundary == "mean":
            loss = loss * self.factor
        if self.queued is not None:
            loss = loss * self.next_weights(pred)[:, None, None]
        return self.loss_weight * loss.mean()[None]


@MODELS.register_module()
class NoiseTolerantMaskHead(FCNMaskHead):
    """A mask head that predicts a coarse mask beside the fine one, and then joins the two.

    Noisy Boundaries (Wang et al., CVPR 2022): half the resolution forgives a wrong boundary. All
    convolutions but the last are shared. The fine branch is that of FCNMaskHead with logits from a
    3x3 window; the coarse one has two convolutions and logits of its own, which are enlarged. A 1x1
    convolution makes the final masks of both. The final and the coarse masks are learned alike
    (`loss_mask`, `loss_mask_coarse`).

    Args:
        loss_mask: The loss of both. None: `BoundaryMaskLoss`.
        **settings: Those of FCNMaskHead; the enlargement is its default, a transposed convolution.
    """

    honors_weights = True
    # The coarse logits of the last pass in training, until their loss is taken.
    coarse: Tensor | None = None

    def __init__(self, loss_mask: dict[str, Any] | None = None, **settings: Any) -> None:
        super().__init__(loss_mask=loss_mask or dict(type="BoundaryMaskLoss"), **settings)
        name = type(self).__name__
        if self.upsample_method != "deconv" or self.num_convs < 1:
            raise ValueError(
                f"{name}: num_convs={self.num_convs} and upsample_cfg of type "
                f"{self.upsample_method!r}; it needs at least one convolution and 'deconv'"
            )
        wrapping = wrapping_of(self.loss_mask)
        if wrapping not in (QueuedLoss, WeightedMaskLoss):
            raise ValueError(
                f"{name}: loss_mask={type(self.loss_mask).__name__} is no loss of masks with "
                "weights; use BoundaryMaskLoss or CrossEntropyLoss(use_mask=True)"
            )
        apply_mixin(self.loss_mask, wrapping)
        inner, classes = self.conv_out_channels, 1 if self.class_agnostic else self.num_classes
        before = self.in_channels if self.num_convs == 1 else inner
        same: dict[str, Any] = dict(
            kernel_size=self.conv_kernel_size,
            padding=self.conv_kernel_size // 2,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
        )
        self.conv_logits = nn.Conv2d(inner, classes, 3, padding=1)
        self.coarse_convs = nn.Sequential(
            ConvModule(before, inner, **same), ConvModule(inner, inner, **same)
        )
        self.coarse_logits = nn.Conv2d(inner, classes, 1)
        scale = self.scale_factor
        self.coarse_upsample = nn.ConvTranspose2d(classes, classes, scale, stride=scale)
        self.final_logits = nn.Conv2d(2 * classes, classes, 1)

    def init_weights(self) -> None:
        """As in FCNMaskHead, for all logits."""
        super().init_weights()
        for layer in (self.coarse_logits, self.final_logits):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """The final masks (N, K, 2h, 2w) of features (N, C, h, w)."""
        for conv in self.convs[:-1]:
            x = conv(x)
        fine = self.conv_logits(self.relu(self.upsample(self.convs[-1](x))))
        coarse = self.coarse_logits(self.coarse_convs(x))
        self.coarse = coarse if self.training else None
        both = torch.cat([self.coarse_upsample(coarse), fine], 1)
        final: Tensor = self.final_logits(both)
        return final

    def loss_and_target(
        self,
        mask_preds: Tensor,
        sampling_results: list[Any],
        batch_gt_instances: list[Any],
        rcnn_train_cfg: Any,
    ) -> dict[str, Any]:
        """As in FCNMaskHead, with the loss of the coarse masks."""
        coarse, self.coarse = self.coarse, None
        if coarse is None:
            raise RuntimeError(
                f"{type(self).__name__}: a loss needs a pass in training mode before"
            )
        weights = complete(getattr(result, "weights", None) for result in sampling_results)
        rows = [torch.cat([found.masks for found in weights])] * 2 if weights else None
        queue_weights(self.loss_mask, None if rows is None else nonempty(rows))
        found: dict[str, Any] = super().loss_and_target(
            mask_preds, sampling_results, batch_gt_instances, rcnn_train_cfg
        )
        smaller = ConfigDict(rcnn_train_cfg, mask_size=tuple(coarse.shape[-2:]))
        targets = self.get_targets(sampling_results, batch_gt_instances, smaller)
        labels = torch.cat([result.pos_gt_labels for result in sampling_results])
        labels = torch.zeros_like(labels) if self.class_agnostic else labels
        loss = self.loss_mask(coarse, targets, labels) if len(coarse) else coarse.sum()
        found["loss_mask"]["loss_mask_coarse"] = loss
        return found
