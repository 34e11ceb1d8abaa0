"""Losses of a segmentor's heads that honor the weights and the validity of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from mmengine.logging import print_log
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.pid_head import PIDHead
from mmseg.models.decode_heads.san_head import SideAdapterCLIPHead
from mmseg.models.losses import (
    BoundaryLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    OhemCrossEntropy,
)
from torch import Tensor, nn

from ..labels import IGNORE
from ..losses import Reduction, effective_weights, pixel_mean, weighted_dice
from .heads import stages
from .step import PixelLabels
from .weights.edges import LabelEdges
from .weights.honor import MASKS, Kind, apply_mixin
from .weights.side_adapter import SideAdapterMasks

MASK_KINDS = (MASKS, Kind(SideAdapterCLIPHead, "loss loss_by_feat", SideAdapterMasks))


class PixelWeights:
    """Gives the heads of a segmentor weighted losses within the context `of`.

    Outside of it, on labeled data, the heads are untouched. Within it hard example sampling is off:
    a pseudo label is not chosen because the student disagrees with it. Cross entropy (that of OHEM
    losses included), focal loss and PIDNet's loss of borders are taken for each pixel and reduced
    by `ssdet.losses.pixel_mean`; Dice becomes `weighted_dice`. A loss with a method
    `weighted(logits, labels, weights)` computes its own; to any other loss the pixels that are not
    trained on are ignored ones.

    Attributes:
        weightless: Parts that do not support weights and use weight 1. To heads that match
            whole masks (MaskFormer) an ignored pixel is outside of every mask. In labeled
            training that is so for Mask2Former and SAN too, as MMSegmentation has it; their
            pseudo labels have weights, and an ignored pixel of them teaches nothing.
        supports_weights: Whether any part does; else weights other than 0 and 1 have no effect.
    """

    def __init__(self, segmentor: nn.Module, reduction: Reduction) -> None:
        self._current = _Current(reduction)
        self._heads: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
        self._masks: list[Any] = []  # heads that read weights of pixels themselves
        self.weightless: list[str] = []
        self.supports_weights = False
        for name, head in segmentor.named_modules():
            if hasattr(head, "loss_decode") and not matches_masks(head):
                self._add(name, head)
        for name in ("decode_head", "auxiliary_head"):
            for head in stages(getattr(segmentor, name, None)):
                kind = next((kind for kind in MASK_KINDS if kind.fits(head)), None)
                if kind is not None:
                    apply_mixin(head, kind.mixin)
                if matches_masks(head) and getattr(head, "honors_weights", False):
                    self._masks.append(head)
                    self.supports_weights = True
                elif matches_masks(head):
                    self.weightless.append(f"{name} ({type(head).__name__})")

    def _add(self, name: str, head: Any) -> None:
        if isinstance(head, PIDHead):
            apply_mixin(head, LabelEdges)
        plain = {"loss_decode": head.loss_decode, "sampler": head.sampler}
        several = isinstance(head.loss_decode, nn.ModuleList)
        losses = list(head.loss_decode) if several else [head.loss_decode]
        weighted = [_WeightedLoss(loss, self._current) for loss in losses]
        for loss in losses:
            other = (BoundaryLoss, DiceLoss, OhemCrossEntropy)
            if isinstance(loss, other) or hasattr(loss, "weighted") or _per_pixel(loss):
                self.supports_weights = True
            else:
                self.weightless.append(f"{name}.loss_decode ({type(loss).__name__})")
        swapped = {"loss_decode": nn.ModuleList(weighted) if several else weighted[0]}
        self._heads.append((head, plain, {**swapped, "sampler": None}))

    @contextmanager
    def of(self, targets: PixelLabels) -> Iterator[None]:
        """Within the context, the losses are those of these pixel labels."""
        self._current.set(targets)
        for head, _, weighted in self._heads:
            for key, value in weighted.items():
                setattr(head, key, value)
        for head in self._masks:
            head.pixel_weights = self._current.effective
        try:
            yield
        finally:
            for head in self._masks:
                head.pixel_weights = None
            for head, plain, _ in self._heads:
                for key, value in plain.items():
                    setattr(head, key, value)


class _Current:
    """Weights and validity that all losses of one pass share."""

    def __init__(self, reduction: Reduction) -> None:
        self.reduction = reduction

    def set(self, targets: PixelLabels) -> None:
        self.weights, self.valid = targets.weights, targets.valid
        self.effective = effective_weights(self.weights, self.valid, self.reduction)
        self.empty = not bool((self.effective > 0).any())


class _WeightedLoss(nn.Module):
    """A loss of MMSegmentation, with the current pixel weights in its mean."""

    def __init__(self, plain: Any, current: _Current) -> None:
        super().__init__()
        self.plain, self.current = plain, current
        self._warned = False

    @property
    def loss_name(self) -> str:
        return self.plain.loss_name

    def forward(
        self, logits: Tensor, labels: Tensor, weight: Any = None, **settings: Any
    ) -> Tensor:
        logits = logits.float()
        now = self.current
        if now.empty:
            return logits.sum() * 0.0
        if labels.shape != now.weights.shape:
            self._warn_once()
            return self.plain(logits, labels, **settings)
        if isinstance(self.plain, DiceLoss):
            return _dice(self.plain, logits, labels, now.effective)
        if isinstance(self.plain, OhemCrossEntropy):
            every = _every_pixel(self.plain, logits, labels)
            return pixel_mean(every, now.weights, now.valid, now.reduction)
        if isinstance(self.plain, BoundaryLoss):
            every = _every_edge(self.plain, logits, labels, now.effective > 0)
            return pixel_mean(every, now.weights, now.valid, now.reduction)
        if hasattr(self.plain, "weighted"):
            return self.plain.weighted(logits, labels, now.effective)
        if not _per_pixel(self.plain):
            return self.plain(logits, labels, **settings)
        # Some heads (DDRNet) leave the ignored label to the loss, whose default may be another one.
        settings = {"ignore_index": IGNORE, **settings, "reduction_override": "none"}
        losses = self.plain(logits, labels, **settings)
        # A loss of each class (sigmoid) is averaged over them, as the plain losses do.
        losses = losses if losses.ndim == labels.ndim else losses.mean(1)
        return pixel_mean(losses, now.weights, now.valid, now.reduction)

    def _warn_once(self) -> None:
        if not self._warned:
            self._warned = True
            print_log(
                f"{type(self.plain).__name__} is computed at sampled points, not at each pixel: "
                "it uses weight 1",
                logger="current",
                level=30,
            )


def _every_pixel(loss: Any, logits: Tensor, labels: Tensor) -> Tensor:
    """The cross entropy (B, H, W) of which `OhemCrossEntropy` (DDRNet) takes the hardest pixels."""
    classes = None if loss.class_weight is None else logits.new_tensor(loss.class_weight)
    each = F.cross_entropy(
        logits, labels, weight=classes, ignore_index=loss.ignore_label, reduction="none"
    )
    return loss.loss_weight * each


def _every_edge(loss: Any, logits: Tensor, edges: Tensor, trained: Tensor) -> Tensor:
    """The loss (B, H, W) of PIDNet's borders, which weigh as much as all that is none together."""
    border = edges == 1
    share = (border & trained).sum() / trained.sum().clamp(min=1)
    each = F.binary_cross_entropy_with_logits(logits[:, 0], border.float(), reduction="none")
    return loss.loss_weight * each * (1 - share).where(border, share)


def _dice(loss: Any, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """MMSegmentation's `DiceLoss` with pixel weights, its settings and its one-hot coding."""
    classes = logits.shape[1]
    # Labels beyond the classes are ignored; with one channel the label 1 is one of them, and the
    # channel stands for the label 0, as in the plain loss.
    target = F.one_hot(labels.clamp(0, classes), classes + 1)[..., :classes].movedim(-1, 1)
    if loss.activate and loss.use_sigmoid:
        logits = logits.sigmoid()
    elif loss.activate and classes > 1:
        logits = logits.softmax(1)
    if loss.ignore_index is not None and loss.ignore_index < classes:
        others = [i for i in range(classes) if i != loss.ignore_index]
        logits, target = logits[:, others], target[:, others]
    each = weighted_dice(logits, target, weights, squared=not loss.naive_dice, eps=loss.eps)
    return loss.loss_weight * (each.sum() if loss.reduction == "sum" else each.mean())


def _per_pixel(loss: Any) -> bool:
    masked = getattr(loss, "use_mask", False)
    return isinstance(loss, (CrossEntropyLoss, FocalLoss)) and not masked


def matches_masks(head: nn.Module) -> bool:
    """Whether a head matches queries to whole masks (MaskFormer, Mask2Former, SAN)."""
    return not isinstance(head, BaseDecodeHead) or hasattr(head, "match_masks")
