"""Self-assignment: proposals on uncertain boxes learn what the teacher says about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import between, clip_boxes, project_boxes
from ...teacher_student.heads import box_forward, box_heads
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS
from ...teacher_student.step import Step
from ...teacher_student.weights.sparse import ProposalTargets, judged_proposals
from ...thresholds.mining import mined
from ...validation import check_range
from .._parts.cached_images import are_mixed, comes_with_batch
from .._parts.softmax_heads import check_softmax_heads
from ..step_hook import StepHook


@dataclass(frozen=True)
class Asked:
    """The uncertain proposals (M,) of an image.

    Attributes:
        rows: Which of its positives they are.
        owners: The pseudo box of each.
        boxes: They themselves (M, 4) in the weak view.
        goals: Their pseudo boxes (M, 4) there.
        labels: The classes of these.
    """

    rows: Tensor
    owners: Tensor
    boxes: Tensor
    goals: Tensor
    labels: Tensor


@HOOKS.register_module()
class SelfAssignmentHook(StepHook):
    """Proposals on uncertain boxes learn the teacher's probabilities there, and no hard label.

    LabelMatch (Chen et al., CVPR 2022), beside a threshold that keeps uncertain boxes
    (`LabelDistributionThresholdHook(uncertain_as="ambiguous")`: all boxes of the level AMBIGUOUS).
    For the RPN they are objects. A proposal that is assigned to one is mapped into the weak view;
    the teacher's RoI head scores it there, sharpened by a temperature, and the student learns
    these probabilities, summed and divided by the number of proposals that images are meant to
    have. It learns neither class nor box of the uncertain box, unless that is reliable after all:
    the mean over its proposals of the overlap with the box (as the teacher refines them) and of the
    probability of its class both reach `mining`.

    Views that other hooks have added or mixed keep the weights of the threshold.

    Args:
        temperature: Of the teacher's probabilities; below 1 it sharpens.
        mining: (overlap, score) that make a box reliable; None: none is.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(SelfAssignmentHook())  # a RetinaNet samples no proposals
        Traceback (most recent call last):
        TypeError: SelfAssignmentHook: scores proposals and works with two-stage ...
    """

    phase = Phase.LOSS
    needs_twin = True

    def __init__(
        self, *, temperature: float = 0.5, mining: tuple[float, float] | None = (0.8, 0.8)
    ) -> None:
        name = type(self).__name__
        if not temperature > 0:
            raise ValueError(f"{name}: temperature={temperature} is not above 0")
        for value in mining or ():
            check_range(name, "mining", value)
        self.temperature = temperature
        self.mining = None if mining is None else (mining[0], mining[1])

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads, and classifications without a softmax."""
        check_softmax_heads(
            type(self).__name__, model, "scores proposals", "learn probabilities of all classes"
        )
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Uncertain boxes are whole objects to the RPN; the RoI head is told in its pass."""
        for branch, samples in step.targets.items():
            for sample in samples if self._seen(step, branch) else ():
                boxes = sample.gt_instances
                unsure = boxes.value("level") == AMBIGUOUS
                for name in ("weight_cls", "weight_box"):
                    boxes[name] = torch.where(unsure, 1.0, boxes.value(name))

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within the context, the teacher judges the proposals on uncertain boxes."""
        roi_head: Any = step.model.student.roi_head
        judge = partial(self._judge, step, branch)
        with judged_proposals(roi_head, judge) if self._seen(step, branch) else nullcontext():
            yield

    def _seen(self, step: Step, branch: str) -> bool:
        known = branch in step.targets and comes_with_batch(branch)
        return known and not are_mixed(step.strong[branch])

    @torch.no_grad()
    def _judge(
        self, step: Step, branch: str, stage: int, results: list[Any]
    ) -> list[ProposalTargets]:
        student: Any = step.model.student.roi_head
        teacher: Any = step.model.teacher.roi_head
        head = box_heads(teacher)[stage]
        asked = [self._asked(step, branch, image, result) for image, result in enumerate(results)]
        boxes, counts = [one.boxes for one in asked], [len(one.rows) for one in asked]
        logits, deltas = boxes[0].new_zeros(0, head.num_classes + 1), boxes[0].new_zeros(0, 4)
        if sum(counts):
            logits, deltas = box_forward(teacher, stage, step.teacher_features, boxes)
        own = logits.split(counts)
        parts = zip(asked, own, deltas.split(counts), step.weak_views.samples, strict=True)
        hard = [
            self._mined(one, scores, moves, head, sample.metainfo)
            for one, scores, moves, sample in parts
        ]
        learned = sum(counts) - sum(int(one.sum()) for one in hard)
        step.count(f"self_assignment/proposals_{stage}", learned / len(results))
        step.count(f"self_assignment/mined_{stage}", (sum(counts) - learned) / len(results))
        # Soft losses are averaged over the proposals that have one; here their sum is divided by
        # the number of proposals that images are meant to have.
        share = learned / (len(results) * sampler_of(student, stage).num)
        told = []
        for one, result, scores, certain in zip(asked, results, own, hard, strict=True):
            size, rows = len(result.pos_priors) + len(result.neg_priors), one.rows[~certain]
            weight, soft_weight = scores.new_ones(size), scores.new_zeros(size)
            soft = scores.new_zeros(size, scores.shape[1])
            weight[rows], soft_weight[rows] = 0.0, share
            soft[rows] = (scores[~certain] / self.temperature).softmax(-1)
            result.weights.box[rows] = 0.0
            told.append(ProposalTargets(weight, soft, soft_weight))
        return told

    def _asked(self, step: Step, branch: str, image: int, result: Any) -> Asked:
        """The proposals of an image that are assigned to uncertain boxes."""
        boxes = step.targets[branch][image].gt_instances
        strong, weak = step.strong[branch].samples[image], step.weak_views.samples[image]
        unsure = boxes.value("level") == AMBIGUOUS
        owners = result.pos_assigned_gt_inds.long()
        rows = unsure[owners].nonzero().squeeze(1)
        owners = owners[rows]
        back = between(strong, weak)
        proposals = project_boxes(get_box_tensor(result.pos_priors)[rows], back)
        goals = project_boxes(get_box_tensor(boxes.bboxes)[owners], back)
        shape = weak.img_shape
        return Asked(
            rows, owners, clip_boxes(proposals, shape), clip_boxes(goals, shape),
            boxes.labels[owners],
        )  # fmt: skip

    def _mined(
        self, asked: Asked, logits: Tensor, deltas: Tensor, head: Any, meta: dict[str, Any]
    ) -> Tensor:
        """Which of the uncertain proposals (M,) belong to a box that is reliable after all."""
        if self.mining is None or not len(asked.rows):
            return torch.zeros_like(asked.rows, dtype=torch.bool)
        refined = get_box_tensor(head.regress_by_class(asked.boxes, asked.labels, deltas, meta))
        overlaps = bbox_overlaps(refined, asked.goals, is_aligned=True)
        scores = logits.softmax(-1).gather(1, asked.labels[:, None])[:, 0]
        overlap, score = self.mining
        count = int(asked.owners.max()) + 1
        reliable = mined(asked.owners, count, overlaps, scores, iou=overlap, score=score)
        return reliable[asked.owners]


def sampler_of(roi_head: Any, stage: int) -> Any:
    """The sampler of a stage; a RoI head without stages has one."""
    samplers = roi_head.bbox_sampler
    return samplers[stage] if isinstance(samplers, (list, tuple)) else samplers
