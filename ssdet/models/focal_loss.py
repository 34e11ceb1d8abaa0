"""Focal loss of a box head, over a softmax with a background class."""

from __future__ import annotations

from typing import Any

from mmdet.models.losses import CrossEntropyLoss, weight_reduce_loss
from torch import Tensor

from ..losses.focal import softmax_focal
from ..registry import MODELS
from ..validation import check_range


# A cross entropy in all but its sum, so that box heads, accuracies and weights of boxes work.
@MODELS.register_module()
class SoftmaxFocalLoss(CrossEntropyLoss):
    """(1 - p)^gamma times the cross entropy, p the probability of the labeled class.

    Unbiased Teacher (Liu et al. 2021) uses it, with gamma 1.5 and without alpha, for the RoI
    classification, because pseudo labels favor frequent classes. MMDetection's FocalLoss is
    for a sigmoid only.

    Args:
        gamma: How little easy examples count, at least 0; with 0 it is the cross entropy.
        **settings: Those of MMDetection's CrossEntropyLoss (`class_weight`, `loss_weight`, ...).
    """

    def __init__(self, gamma: float = 1.5, **settings: Any) -> None:
        check_range(type(self).__name__, "gamma", gamma, 0, float("inf"))
        for name in ("use_sigmoid", "use_mask"):
            if settings.get(name):
                raise ValueError(
                    f"{type(self).__name__}: {name}=True is not possible: this is a loss over a "
                    "softmax. For a sigmoid use MMDetection's FocalLoss."
                )
        super().__init__(**settings)
        self.gamma = gamma
        self.cls_criterion = self._focal

    def _focal(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        avg_factor: float | None = None,
        class_weight: Tensor | None = None,
        ignore_index: int | None = None,
        avg_non_ignore: bool = False,
    ) -> Tensor:
        ignored = -100 if ignore_index is None else ignore_index
        loss = softmax_focal(logits, labels, self.gamma, weight=class_weight, ignore_index=ignored)
        if avg_factor is None and avg_non_ignore and reduction == "mean":
            avg_factor = float((labels != ignored).sum())
        weight = None if weight is None else weight.float()
        return weight_reduce_loss(loss, weight, reduction, avg_factor)
