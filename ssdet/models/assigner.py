"""Consistent-Teacher's assignment of boxes to the predictions that fit them best."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules import AssignResult, BaseAssigner
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from ..losses.assignment import dynamic_match, matching_cost
from ..registry import TASK_UTILS
from ..teacher_student.weights.boxes import inside
from ..validation import check_range


@TASK_UTILS.register_module()
class AdaptiveSampleAssigner(BaseAssigner):
    """Adaptive sample assignment (Consistent-Teacher, CVPR 2023), for labels and pseudo labels.

    Candidates are the priors whose center lies strictly inside of a box, whichever; each box takes
    the cheapest of them, see `matching_cost` and `dynamic_match` in `ssdet.losses.assignment`. All
    others are background, but for centers inside of a region to ignore. A small box that holds no
    center is matched if other boxes bring candidates, and is left out otherwise.

    Args:
        topk: How many of the best IoUs are summed for the number of priors of a box.
        iou_weight: Weight of the IoU in the cost (2 for partly labeled COCO and for VOC, 3 for
            the whole of COCO).
    """

    def __init__(self, topk: int = 13, *, iou_weight: float = 3.0) -> None:
        name = type(self).__name__
        check_range(name, "topk", topk, 1, float("inf"))
        check_range(name, "iou_weight", iou_weight, 0, float("inf"))
        self.topk, self.iou_weight = int(topk), iou_weight

    @torch.no_grad()
    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """Box number + 1 for each prior, 0: background, -1: ignored; with the IoU of positives.

        `pred_instances` holds `scores` (N, C), probabilities; `bboxes` (N, 4), decoded; and
        `priors` (N, 4): center and stride, (x, y, stride, stride).
        """
        priors = pred_instances.priors
        boxes, classes = get_box_tensor(gt_instances.bboxes).to(priors), gt_instances.labels
        numbers = torch.zeros(len(priors), dtype=torch.long, device=priors.device)
        ious = priors.new_zeros(len(priors), dtype=torch.float32)
        labels = torch.full_like(numbers, -1)
        candidates = inside(priors, boxes).nonzero().squeeze(1)
        if len(candidates):
            chosen, overlaps = self._match(pred_instances[candidates], boxes, classes)
            matched = chosen >= 0
            taken, box = candidates[matched], chosen[matched]
            numbers[taken], labels[taken] = box + 1, classes[box]
            ious[taken] = overlaps[matched, box]
        if gt_instances_ignore is not None and len(gt_instances_ignore):
            regions = get_box_tensor(gt_instances_ignore.bboxes).to(priors)
            numbers[(numbers == 0) & inside(priors, regions)] = -1
        return AssignResult(len(boxes), numbers, ious, labels=labels)

    def _match(
        self, candidates: InstanceData, boxes: Tensor, classes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The box of each candidate (or -1), and all IoUs."""
        ious = bbox_overlaps(candidates.bboxes.float(), boxes.float())
        centers, strides = candidates.priors[:, :2], candidates.priors[:, 2:3]
        distances = torch.cdist(centers.float(), (boxes[:, :2] + boxes[:, 2:]).float() / 2)
        cost = matching_cost(
            candidates.scores, ious, distances / strides, classes, iou_weight=self.iou_weight
        )
        return dynamic_match(cost, ious, topk=self.topk), ious
