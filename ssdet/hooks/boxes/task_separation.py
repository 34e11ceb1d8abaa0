"""Task separation: ambiguous places learn the teacher's classes, and a box where they agree."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import GFLHead
from torch import Tensor

from ...losses.dense import TINY
from ...losses.polishing import giou_loss
from ...losses.separation import joint_focal, joint_probability, place_targets
from ...models.fcos_heads import IoUFCOSHead
from ...models.joint_fcos import JointConfidenceFCOSHead
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.dense_loss import DenseBatch, DenseLossHook

HEADS = (JointConfidenceFCOSHead, IoUFCOSHead, GFLHead)
SURE = 30.0  # the logit of a quality that a head does not predict: 1


@HOOKS.register_module()
class TaskSeparationHook(DenseLossHook):
    """Learn from the teacher's dense predictions, of each task where it is not ambiguous.

    Ambiguity-Resistant Semi-supervised Learning (Liu et al., CVPR 2023). Places are judged by
    their joint probability of class and IoU. Positive ones learn class, box and IoU of the
    teacher. Ambiguous ones learn all its probabilities; and a box only where they agree with a
    positive in class, box and level. All others learn that there is nothing. It replaces the
    unsupervised losses of the detector.

    Weak and strong views must have one geometry: put resizing and flips into `shared` of
    `WeakStrongViews`. For heads that predict the IoU: `JointConfidenceFCOSHead`,
    `IoUFCOSHead`, and GFL, whose class score is one.

    Args:
        candidate: Least probability of an ambiguous place.
        ceiling: Above it a place is positive, whatever the candidates' mean and deviation.
        overlap: Least IoU of an agreeing place with a positive.
        fallback: So many of the best places are positive where none else is.
        cls, box, quality: Weights of the three losses.
        min_sum: Least normalizer of classes and boxes. 0 is published; early in a training the
            probabilities of an empty image are so small that their sum is no normalizer.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(TaskSeparationHook())
        Traceback (most recent call last):
        TypeError: TaskSeparationHook: judges places by class and IoU, ...
    """

    def __init__(
        self,
        *,
        candidate: float = 0.1,
        ceiling: float = 0.4,
        overlap: float = 0.6,
        fallback: int = 10,
        cls: float = 2.0,
        box: float = 2.0,
        quality: float = 0.5,
        min_sum: float = 0.0,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(candidate=candidate, ceiling=ceiling, overlap=overlap).items():
            check_range(name, key, value)
        check_range(name, "fallback", fallback, 1, float("inf"))
        weights = dict(cls=cls, box=box, quality=quality, min_sum=min_sum)
        for key, value in weights.items():
            check_range(name, key, value, 0, float("inf"))
        self.rule: dict[str, Any] = dict(
            candidate=candidate, ceiling=ceiling, overlap=overlap, fallback=fallback
        )
        self.cls, self.box, self.quality = cls, box, quality
        self.min_sum = max(min_sum, TINY)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse heads that do not predict the IoU."""
        super().on_attach(model)
        student: Any = model.student
        if not isinstance(student.bbox_head, HEADS):
            raise TypeError(
                f"{type(self).__name__}: judges places by class and IoU, and works with "
                f"{', '.join(kind.__name__ for kind in HEADS)}, not with a "
                f"{type(student.bbox_head).__name__}. Set detector.bbox_head.type "
                "(configs/arsl), or use DenseLabelHook."
            )

    def dense_losses(self, step: Step, batch: DenseBatch) -> dict[str, Tensor]:
        """Classes of all places; boxes and IoU of those that are located."""
        targets, boxes, located, positive = self._targets(step, batch)
        valid = batch.valid
        logits, _, quality = batch.student.flatten()
        sure = torch.full_like(logits[..., 0], SURE) if quality is None else quality.float()
        best = targets.amax(-1)
        total = best.masked_fill(~positive, 0.0).sum().clamp(min=self.min_sum)
        each = joint_focal(logits.float()[valid], sure[valid], targets[valid])
        apart = giou_loss(batch.student.decoded()[located], boxes[located])
        weights = best[located]
        losses = {
            "loss_separate_cls": self.cls * each.sum() / total,
            "loss_separate_box": self.box
            * (apart * weights).sum()
            / weights.sum().clamp(min=self.min_sum),
        }
        teacher = batch.teacher.flatten()[2]
        if quality is not None and teacher is not None:
            goal = teacher.float().sigmoid()[located]
            loss = F.binary_cross_entropy_with_logits(sure[located], goal, reduction="sum")
            losses["loss_separate_quality"] = self.quality * loss / located.sum().clamp(min=1)
        return losses

    def _targets(self, step: Step, batch: DenseBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Classes (B, P, K), boxes (B, P, 4); which places (B, P) learn a box; positive ones."""
        logits, _, quality = batch.teacher.flatten()
        sure = torch.full_like(logits[..., 0], SURE) if quality is None else quality.float()
        joint, boxes = joint_probability(logits.float(), sure), batch.teacher.decoded()
        centers, levels = batch.teacher.centers(), batch.teacher.levels()
        goals, located = boxes.clone(), torch.zeros_like(batch.valid)
        targets, positive = torch.zeros_like(joint), torch.zeros_like(batch.valid)
        for image, there in enumerate(batch.valid):
            found = place_targets(
                joint[image, there],
                boxes[image, there],
                (centers[there], levels[there]),
                **self.rule,
            )
            targets[image, there], goals[image, there] = found.classes, found.boxes
            located[image, there], positive[image, there] = found.located, found.positive
            share = 1 / len(batch.valid) / len(step.strong)
            step.count("separation/positive", found.positive.sum() * share)
            step.count("separation/ambiguous", found.ambiguous.sum() * share)
            step.count("separation/potential", (found.located & found.ambiguous).sum() * share)
        # Boxes that are inside out, early in a training, are no target.
        located &= (goals[..., 2:] > goals[..., :2]).all(-1)
        return targets, goals, located, positive
