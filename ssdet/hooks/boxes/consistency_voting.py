"""Consistency voting: a pseudo box teaches as much as the student's proposals on it agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from torch import Tensor

from ...losses.assignment import voted_weights
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import box_heads, check_roi_heads
from ...teacher_student.phase import Phase
from ...teacher_student.recording import replaced
from ...teacher_student.step import Step
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class ConsistencyVotingHook(StepHook):
    """Weigh the box losses of unlabeled images by how well the student's boxes agree.

    PseCo (Li et al., ECCV 2022). Proposals that are assigned to a well-placed pseudo box are
    regressed to the same place; on a misplaced one they part. The mean IoU of the student's boxes
    with the pseudo box, to the power `power`, is the weight of its positives. All weights of a
    batch are scaled so that the loss is not smaller than with the mean IoU itself.

    It multiplies the weights of boxes that other hooks set, in all stages of a cascade.

    Args:
        power: Of the mean IoU.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(ConsistencyVotingHook())  # a RetinaNet has no proposals
        Traceback (most recent call last):
        TypeError: ConsistencyVotingHook: compares boxes of proposals and works with ...
    """

    phase = Phase.LOSS

    def __init__(self, *, power: float = 2.0) -> None:
        check_range(type(self).__name__, "power", power, 0, float("inf"))
        self.power = power

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads."""
        check_roi_heads(type(self).__name__, model, "compares boxes of proposals")
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within the context, each box head weighs its positives first."""
        if branch not in step.targets:
            yield
            return
        with ExitStack() as stack:
            for head in box_heads(self.attached_model.student):
                make = partial(self._voting, step, branch, head)
                stack.enter_context(replaced(head, "loss_and_target", make))
            yield

    def _voting(self, step: Step, branch: str, head: Any, loss: Any) -> Any:
        def voted(
            cls_score: Tensor, bbox_pred: Tensor, rois: Tensor, sampling_results: Any, *args: Any,
            **kwargs: Any,
        ) -> Any:  # fmt: skip
            metas = [sample.metainfo for sample in step.strong[branch].samples]
            agreement = self._vote(head, bbox_pred, sampling_results, metas)
            if agreement is not None:
                step.count("voting/agreement", agreement)
            return loss(cls_score, bbox_pred, rois, sampling_results, *args, **kwargs)

        return voted

    @torch.no_grad()
    def _vote(
        self, head: Any, moves: Tensor, results: list[Any], metas: list[dict[str, Any]]
    ) -> Tensor | None:
        """Multiply the weights in the sampling results, once for each; the mean overlap."""
        weighted = all(getattr(result, "weights", None) is not None for result in results)
        if not weighted or any(getattr(result, "voted", False) for result in results):
            return None
        owners, ious, first = [], [], 0
        for image, (result, meta) in enumerate(zip(results, metas, strict=True)):
            count = len(result.pos_priors)
            own = moves[first : first + count].float()
            priors = get_box_tensor(result.pos_priors)
            boxes = head.regress_by_class(priors, result.pos_gt_labels, own, meta)
            goals = get_box_tensor(result.pos_gt_bboxes)
            ious.append(bbox_overlaps(get_box_tensor(boxes), goals, is_aligned=True))
            owners.append(result.pos_assigned_gt_inds.long() * len(results) + image)
            first += count + len(result.neg_priors)
            result.voted = True
        together = torch.cat(ious)
        weights = voted_weights(torch.cat(owners), together, self.power)
        parts = weights.split([len(one) for one in ious])
        for result, part in zip(results, parts, strict=True):
            result.weights.box = result.weights.box * part
        return together.mean() if len(together) else None
