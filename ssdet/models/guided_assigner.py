"""PseCo's assignment: the teacher's view of a proposal says which box it learns."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules import AssignResult, BaseAssigner
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.structures import InstanceData

from ..losses.assignment import prediction_guided
from ..registry import TASK_UTILS
from ..validation import check_range


@TASK_UTILS.register_module()
class PredictionGuidedAssigner(BaseAssigner):
    """Proposals that the teacher refines and scores well learn a box; see `prediction_guided`.

    Args:
        bag_iou: Least IoU of a refined proposal with its box.
        alpha: Exponent of the probability in the quality; that of the IoU is 1 - alpha.
        topk: So many of the largest IoUs are summed for the number of proposals of a box.
    """

    def __init__(self, bag_iou: float = 0.4, alpha: float = 0.5, topk: int = 12) -> None:
        name = type(self).__name__
        check_range(name, "bag_iou", bag_iou)
        check_range(name, "alpha", alpha)
        check_range(name, "topk", topk, 1, float("inf"))
        self.bag_iou, self.alpha, self.topk = bag_iou, alpha, int(topk)

    @torch.no_grad()
    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """Box number + 1 for each proposal, 0 for background.

        `pred_instances` holds `refined` (N, 4), the boxes that the teacher makes of the proposals,
        and `chances` (N, C), its probabilities.
        """
        boxes, classes = get_box_tensor(gt_instances.bboxes), gt_instances.labels
        ious = bbox_overlaps(pred_instances.refined, boxes.to(pred_instances.refined))
        owner = prediction_guided(
            ious,
            pred_instances.chances[:, classes],
            bag_iou=self.bag_iou,
            alpha=self.alpha,
            topk=self.topk,
        )
        labels = torch.full_like(owner, -1)
        positive = owner >= 0
        labels[positive] = classes[owner[positive]]
        best = ious.amax(1) if len(boxes) else pred_instances.refined.new_zeros(len(owner))
        return AssignResult(len(boxes), owner + 1, best, labels=labels)
