"""Loss modules that multiply by weights which their head has queued."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models import losses as mmdet_losses
from torch import Tensor, nn

from .boxes import Mixin

# These multiply element by element before they reduce, and do nothing else with the weight.
LINEAR = (
    mmdet_losses.BoundedIoULoss,
    mmdet_losses.CIoULoss,
    mmdet_losses.CrossEntropyLoss,
    mmdet_losses.DIoULoss,
    mmdet_losses.DistributionFocalLoss,
    mmdet_losses.EIoULoss,
    mmdet_losses.FocalLoss,
    mmdet_losses.GIoULoss,
    mmdet_losses.IoULoss,
    mmdet_losses.L1Loss,
    mmdet_losses.MSELoss,
    mmdet_losses.QualityFocalLoss,
    mmdet_losses.SIoULoss,
    mmdet_losses.SmoothL1Loss,
    mmdet_losses.VarifocalLoss,
)


class QueuedLoss(Mixin):
    """A loss module with the weights (P,) of its next calls; None: it works as before."""

    queued: deque[Tensor] | None = None

    def next_weights(self, pred: Tensor) -> Tensor:
        """The weights of this call, one for each row of the prediction."""
        if not self.queued or len(self.queued[0]) != len(pred):
            raise RuntimeError(
                f"{type(self).__name__}: weights of boxes do not fit the predictions: found "
                f"{len(pred)} predictions and weights for {[len(w) for w in self.queued or ()]}. "
                "This version of MMDetection calls the loss in another way than ssdet expects: "
                "install the version that requirements/ asks for, or report it."
            )
        return self.queued.popleft()


class WeightedLoss(QueuedLoss):
    """A loss of the LINEAR ones."""

    def forward(
        self, pred: Tensor, target: Any, weight: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """As in the base class."""
        if self.queued is not None:
            extra = self.next_weights(pred)
            if weight is None:
                elementwise = isinstance(target, Tensor) and target.shape == pred.shape
                weight = extra.new_ones(pred.shape if elementwise else pred.shape[:1])
            weight = weight * extra.reshape(-1, *[1] * (weight.ndim - 1))
        return super().forward(pred, target, weight, *args, **kwargs)


class WeightedRowLoss(QueuedLoss):
    """Dice, which is one number for each row (a mask) and multiplies that."""

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """As in the base class."""
        if self.queued is not None:
            extra = self.next_weights(pred)
            weight = extra if weight is None else weight * extra
        return super().forward(pred, target, weight, *args, **kwargs)


class WeightedMaskLoss(QueuedLoss):
    """Cross entropy of the mask of a RoI's class, whose third argument is the class."""

    def forward(
        self, pred: Tensor, target: Tensor, label: Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        """As in the base class."""
        if self.queued is None:
            return super().forward(pred, target, label, *args, **kwargs)
        weights = self.next_weights(pred)
        chosen = pred[torch.arange(len(pred), device=pred.device), label]
        loss = F.binary_cross_entropy_with_logits(chosen, target, reduction="none")
        return self.loss_weight * (loss * weights[:, None, None]).mean()[None]


def queue_weights(loss: nn.Module, weights: Iterable[Tensor] | None) -> None:
    """Queue the weights of a loss's next calls; heads make no call on nothing."""
    if isinstance(loss, QueuedLoss):
        loss.queued = None if weights is None else deque(weights)


def wrapping_of(loss: Any) -> type[QueuedLoss] | None:
    """The mixin that lets a loss use weights; None if there is none for it."""
    if QueuedLoss in type(loss).__bases__:  # it reads its weights itself
        return QueuedLoss
    if getattr(loss, "use_mask", False):
        return WeightedMaskLoss if loss.class_weight is None else None
    if type(loss).forward is mmdet_losses.DiceLoss.forward or isinstance(loss, WeightedRowLoss):
        return WeightedRowLoss
    known = any(isinstance(loss, kind) and type(loss).forward is kind.forward for kind in LINEAR)
    return WeightedLoss if known or isinstance(loss, WeightedLoss) else None
