"""Dense labels: the student learns what the teacher says about each place, without boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from ...losses.dense import dense_boxes, dense_classes, dense_quality, richest
from ...registry import HOOKS
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.dense_loss import DenseBatch, DenseLossHook


@HOOKS.register_module()
class DenseLabelHook(DenseLossHook):
    """Distill the teacher's dense predictions, without thresholds, NMS and assignment.

    Dense Teacher (Zhou et al., ECCV 2022). A place is as rich as its best class probability. In the
    region of the richest places of the batch, the student learns all class probabilities
    (quality focal loss), the boxes (GIoU) and the quality (centerness or IoU) of the teacher;
    elsewhere the target of every class is 0. It replaces the unsupervised losses of the detector.

    Weak and strong views must have one geometry: put resizing and flips into `shared` of
    `WeakStrongViews`. For RetinaNet, FCOS, ATSS, GFL and RTMDet.

    Args:
        ratio: Share of the places that the region takes, in (0, 1]; at least one place.
        cls, box, quality: Weights of the three losses (a head without quality has two).
        gamma: Exponent of the quality focal loss.
        per_image: Take the share of each image, not of the batch, in which crowded images
            take the places of others.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), DenseLabelHook(ratio=0.05))
        >>> sorted(name for name in step.losses if name.startswith("unsup"))
        ['unsup_loss_dense_box', 'unsup_loss_dense_cls']
        >>> DenseLabelHook(ratio=0.0)
        Traceback (most recent call last):
        ValueError: DenseLabelHook: ratio=0.0 is not in (0, 1]
    """

    def __init__(
        self,
        *,
        ratio: float = 0.01,
        cls: float = 4.0,
        box: float = 1.0,
        quality: float = 1.0,
        gamma: float = 2.0,
        per_image: bool = False,
    ) -> None:
        name = type(self).__name__
        if not 0 < ratio <= 1:
            raise ValueError(f"{name}: ratio={ratio} is not in (0, 1]")
        for key, value in dict(cls=cls, box=box, quality=quality, gamma=gamma).items():
            check_range(name, key, value, 0, float("inf"))
        self.ratio, self.gamma, self.per_image = ratio, gamma, per_image
        self.cls, self.box, self.quality = cls, box, quality

    def dense_losses(self, step: Step, batch: DenseBatch) -> dict[str, Tensor]:
        """Classes of all places, boxes and quality of the region."""
        logits, _, quality = batch.student.flatten()
        targets, _, teacher_quality = batch.teacher.flatten()
        targets, valid = targets.float().sigmoid(), batch.valid
        region = self._region(targets.amax(-1), valid)
        step.count("dense/score", targets.amax(-1)[region].mean() / len(step.strong))
        logits = logits.float()[valid]
        losses = {
            "loss_dense_cls": dense_classes(logits, targets[valid], region[valid], self.gamma)
            * self.cls,
            "loss_dense_box": dense_boxes(batch.student.decoded(), batch.teacher.decoded(), region)
            * self.box,
        }
        if quality is not None and teacher_quality is not None:
            goal = teacher_quality.float().sigmoid()
            losses["loss_dense_quality"] = self.quality * dense_quality(
                quality.float(), goal, region
            )
        return losses

    def _region(self, scores: Tensor, valid: Tensor) -> Tensor:
        """The places (B, P) that are learned from, by their best class probability (B, P)."""
        if not self.per_image:
            return richest(scores, self.ratio, valid)
        pairs = zip(scores, valid, strict=True)
        return torch.stack([richest(own, self.ratio, there) for own, there in pairs])
