"""Dice loss over classes, for organs of very different size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..labels import IGNORE
from ..losses import class_dice
from ..registry import MODELS


@MODELS.register_module()
class ClassDiceLoss(nn.Module):
    """Dice of each class over all pixels of the batch, averaged over the classes.

    The form that semi-supervised medical segmentation (SSL4MIS, BCP) trains with. MMSegmentation's
    `DiceLoss` computes one ratio over all classes of an image, in which the background outweighs a
    small organ. Softmax probabilities, squares in the denominator, the background is a class.

    Args:
        loss_weight: Factor on the loss.
        eps: Added to numerator and denominator; a class that is neither there nor predicted then
            costs nothing.
    """

    def __init__(
        self, loss_weight: float = 1.0, eps: float = 1e-5, loss_name: str = "loss_dice"
    ) -> None:
        super().__init__()
        self.loss_weight, self.eps, self.loss_name = loss_weight, eps, loss_name

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = IGNORE,
        **_: Any,
    ) -> Tensor:
        """The loss of logits (B, C, H, W) and labels (B, H, W), with weights of pixels if given."""
        weight = torch.ones_like(labels, dtype=torch.float32) if weight is None else weight
        return self.weighted(logits, labels, weight * (labels != ignore_index))

    def weighted(self, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """The same with a weight for each pixel; `TeacherStudentSegmentor` calls it."""
        probabilities = logits.float().softmax(1)
        return self.loss_weight * class_dice(probabilities, labels, weights, eps=self.eps)
