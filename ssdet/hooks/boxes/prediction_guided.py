"""Prediction-guided assignment: the student learns the teacher's proposals, as it sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData

from ...models.guided_assigner import PredictionGuidedAssigner
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import areas, between, clip_boxes, project_boxes
from ...teacher_student.heads import box_forward, check_roi_heads
from ...teacher_student.passes import WEAK
from ...teacher_student.phase import Phase
from ...teacher_student.recording import replaced
from ...teacher_student.step import Step
from ...teacher_student.weights.boxes import IgnoringAssigner
from ...teacher_student.weights.honor import apply_mixin
from .._parts.cached_images import are_mixed, comes_with_batch
from ..step_hook import StepHook


@HOOKS.register_module()
class PredictionGuidedAssignHook(StepHook):
    """The student's RoI head learns the teacher's proposals of unlabeled images, as it sees them.

    PseCo (Li et al., ECCV 2022). By its overlap with a pseudo box, which is misplaced, a bad
    proposal may become an object and a good one background. Here the teacher refines and scores
    its proposals in the weak view; those that are good for a box learn it (`prediction_guided` in
    `ssdet.losses.assignment`), and all others are background. Labeled images have the assigner
    of the detector.

    Published without boxes among the proposals: `add_gt_as_proposals=False` in the sampler.
    Views that other hooks have added or mixed have the assigner of the detector too.

    Args:
        bag_iou: Least IoU of a refined proposal with its box.
        alpha: Exponent of the probability in the quality; that of the IoU is 1 - alpha.
        topk: So many of the largest IoUs are summed for the number of proposals of a box.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(PredictionGuidedAssignHook())  # a RetinaNet has no proposals
        Traceback (most recent call last):
        TypeError: PredictionGuidedAssignHook: assigns proposals and works with two-stage ...
    """

    phase = Phase.LOSS
    needs = frozenset({"teacher_outputs"})
    needs_twin = True

    def __init__(self, *, bag_iou: float = 0.4, alpha: float = 0.5, topk: int = 12) -> None:
        self.assigner = PredictionGuidedAssigner(bag_iou, alpha, topk)
        apply_mixin(self.assigner, IgnoringAssigner)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without one RoI head that scores all classes at once."""
        name, student = type(self).__name__, model.student
        check_roi_heads(name, model, "assigns proposals")
        head: Any = student.roi_head
        if not isinstance(head, StandardRoIHead) or head.bbox_head.custom_activation:
            raise TypeError(
                f"{name}: assigns the proposals of one RoI head with a softmax (Faster and Mask "
                f"R-CNN), not of a {type(student).__name__} with a "
                f"{type(head.bbox_head).__name__}. Take it out of custom_hooks."
            )
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within the context, proposals and assigner of the student are others."""
        if not comes_with_batch(branch) or are_mixed(step.strong[branch]):
            yield
            return
        roi_head: Any = self.attached_model.student.roi_head
        proposals = self._proposals(step, branch)
        before = roi_head.bbox_assigner

        def guided(loss: Any) -> Any:
            def learn(features: Any, _: Any, samples: Any) -> Any:
                return loss(features, [one.new() for one in proposals], samples)

            return learn

        roi_head.bbox_assigner = self.assigner
        try:
            with replaced(roi_head, "loss", guided):
                yield
        finally:
            roi_head.bbox_assigner = before

    @torch.no_grad()
    def _proposals(self, step: Step, branch: str) -> list[InstanceData]:
        """The teacher's proposals of each image in a strong view, as the assigner needs them."""
        teacher: Any = self.attached_model.teacher
        head = teacher.roi_head.bbox_head
        found = step.teacher_outputs[WEAK]
        boxes = [get_box_tensor(one.bboxes) for one in found.proposals]
        counts = [len(one) for one in boxes]
        logits, deltas = box_forward(teacher.roi_head, 0, step.teacher_features, boxes)
        parts = zip(
            boxes, logits.split(counts), deltas.split(counts), step.weak_views.samples,
            step.strong[branch].samples, strict=True,
        )  # fmt: skip
        proposals = []
        for own, scores, moves, weak, strong in parts:
            chances = scores[:, :-1].softmax(-1)  # among objects
            refined = get_box_tensor(
                head.regress_by_class(own, chances.argmax(-1), moves, weak.metainfo)
            )
            matrix, shape = between(weak, strong), strong.img_shape
            moved, better = (
                clip_boxes(project_boxes(one, matrix), shape) for one in (own, refined)
            )
            seen = areas(moved) > 0
            proposals.append(InstanceData(bboxes=moved, refined=better, chances=chances)[seen])
        return proposals
