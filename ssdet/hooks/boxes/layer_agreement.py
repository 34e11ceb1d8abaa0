"""Layer agreement: the decoder layers of a DETR vote on how well a pseudo box is placed."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.dense_heads import DETRHead
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.outputs import QueryOutputs
from ...teacher_student.passes import WEAK
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...thresholds.box_quality import iou, stage_agreement
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class LayerAgreementHook(StepHook):
    """Mean IoU between the boxes of successive decoder layers, as the quality of a pseudo box.

    Each decoder layer of a DETR corrects the box of its query; where the last layers still move it,
    the box is badly placed. It takes the place of `BoxJitterHook`, which needs RoI heads. The
    teacher's outputs are there already; only detectors that predict from their last layer alone
    (DETR, Conditional and DAB-DETR) need a second pass of the teacher. The boxes carry their
    `loc_quality` in [0, 1] on. (Ours; it follows no paper.)

    Args:
        layers: So many of the last layers vote, at least 2. None: all.
        threshold: Boxes whose quality is not above have the weight 0 in the box losses.
        weigh: Multiply the weights of the box losses by the quality.
        min_iou: A box (a fused one, for example) that no query of the weak view overlaps this much
            has the quality 0.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(LayerAgreementHook())  # a RetinaNet has no decoder
        Traceback (most recent call last):
        TypeError: LayerAgreementHook: compares the decoder layers of a DETR, and a RetinaNet ...
    """

    phase = Phase.WEIGHT
    needs = frozenset({"teacher_outputs"})

    def __init__(
        self,
        *,
        layers: int | None = None,
        threshold: float | None = None,
        weigh: bool = True,
        min_iou: float = 0.5,
    ) -> None:
        name = type(self).__name__
        if layers is not None:
            check_range(name, "layers", layers, 2, float("inf"))
        if threshold is not None:
            check_range(name, "threshold", threshold)
        check_range(name, "min_iou", min_iou)
        self.layers, self.threshold, self.weigh, self.min_iou = layers, threshold, weigh, min_iou

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without at least two decoder layers."""
        student: Any = model.student
        head = getattr(student, "bbox_head", None)
        known = isinstance(head, DETRHead) and hasattr(student, "forward_transformer")
        found = len(student.decoder.layers) if known else 0
        if found < 2:
            raise TypeError(
                f"{type(self).__name__}: compares the decoder layers of a DETR, and a "
                f"{type(student).__name__} has {found or 'none'}. Cascades have "
                "StageAgreementHook, other two-stage detectors BoxJitterHook."
            )
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Weight the boxes by the agreement."""
        layers = self._layers(step)
        for number, boxes in enumerate(step.pseudo_boxes):
            height, width = step.weak_views.samples[number].img_shape[:2]
            quality = self._quality(boxes.bboxes, corners(layers[:, number], height, width))
            boxes.loc_quality = quality
            if self.weigh:
                boxes.weight_box = boxes.weight_box * quality
            if self.threshold is not None:
                boxes.weight_box = boxes.weight_box * (quality > self.threshold)
        every = torch.cat([boxes.loc_quality for boxes in step.pseudo_boxes])
        if len(every):
            step.count("layer_agreement/quality", every.mean())
        if len(every) and self.threshold is not None:
            step.count("layer_agreement/kept", (every > self.threshold).float().mean())

    def _layers(self, step: Step) -> Tensor:
        """Boxes (L, B, Q, 4) of the teacher's queries in the layers that vote, as shares."""
        outputs: Any = step.teacher_outputs.get(WEAK)
        if not isinstance(outputs, QueryOutputs) or len(outputs.box) < 2:
            outputs = step.model.forward_outputs(step.weak_views, step.model.teacher)
        found: Tensor = outputs.box
        return found if self.layers is None else found[-self.layers :]

    def _quality(self, boxes: Tensor, layers: Tensor) -> Tensor:
        """The agreement (N,) of the layers (L, Q, 4) on the queries that the boxes (N, 4) are."""
        if not len(boxes):
            return boxes.new_zeros(0)
        overlap, query = iou(boxes, layers[-1]).max(1)
        return stage_agreement(layers[:, query]) * (overlap >= self.min_iou)


def corners(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (..., 4) given by center and size, as shares, in pixels and within the image."""
    center, size = boxes[..., :2], boxes[..., 2:]
    sides = boxes.new_tensor([width, height])
    low, high = ((center + sign * size / 2).clamp(0, 1) * sides for sign in (-1, 1))
    return torch.cat([low, high], -1)
