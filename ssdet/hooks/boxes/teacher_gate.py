"""Teacher gate: a pseudo box teaches where the teacher knows better than the student."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import box_heads
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step
from ...thresholds.task_agreement import cross_weights, relative_distance
from ...validation import check_range
from .._parts.cached_images import are_mixed, comes_with_batch
from .._parts.softmax_heads import check_softmax_heads
from ..step_hook import StepHook

# Which of the pseudo boxes of this step a box is; what hooks have pasted into a view is none.
ROW, NOT_ONE = "weak_row", -1
PseudoBoxes.declare(ROW, NOT_ONE)


@HOOKS.register_module()
class TeacherGateHook(StepHook):
    """Weigh pseudo boxes by what the student predicts for them in the weak view.

    SemiETS (CVPR 2025), with class and box as the two tasks in place of reading and finding text.
    The student (in eval mode) judges each pseudo box. With the gate, the class is learned only
    where the teacher's score is above the student's probability of it. Then each task weighs the
    other: the box loss by 1 + a (1 - p), the class loss by 1 + IoU - distance of the student's box
    from the teacher's, divided by its mean. It costs a pass of the student without gradient.

    Views that other hooks have added or mixed keep their weights.

    Args:
        gate: See above.
        disagreement: a; SemiETS has 20 for edit distances of text, which are far smaller.
        cross: Weigh the tasks by each other.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(TeacherGateHook())  # a RetinaNet does not judge given boxes
        Traceback (most recent call last):
        TypeError: TeacherGateHook: judges boxes and works with two-stage ...
    """

    phase = Phase.LOSS  # behind all that drops, adds or stores boxes: they are numbered
    needs = frozenset({"weak_outputs"})
    changes_passes = False  # the weights are those of losses, which a joint pass has, too

    def __init__(self, *, gate: bool = True, disagreement: float = 1.0, cross: bool = True) -> None:
        check_range(type(self).__name__, "disagreement", disagreement, 0, float("inf"))
        if not gate and not cross:
            raise ValueError(f"{type(self).__name__}: gate=False, cross=False: it would do nothing")
        self.gate, self.disagreement, self.cross = gate, disagreement, cross

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads, and classifications without a softmax."""
        name = type(self).__name__
        check_softmax_heads(name, model, "judges boxes", "give a probability of a class")
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Number the boxes, to know them in other views."""
        start = 0
        for boxes in step.pseudo_boxes:
            boxes[ROW] = torch.arange(start, start + len(boxes), device=boxes.labels.device)
            start += len(boxes)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Weigh the boxes of a strong view, when the student has judged them."""
        known = branch in step.targets and comes_with_batch(branch)
        if known and not are_mixed(step.strong[branch]):
            cls, box = self._weights(step, branch)
            for sample in step.targets[branch]:
                boxes = sample.gt_instances
                judged = boxes.value(ROW) != NOT_ONE
                rows = boxes.value(ROW)[judged]
                for name, factors in (("weight_cls", cls), ("weight_box", box)):
                    weights = boxes.value(name).clone()
                    weights[judged] *= factors[rows]
                    boxes[name] = weights
        yield

    @torch.no_grad()
    def _weights(self, step: Step, branch: str) -> tuple[Tensor, Tensor]:
        """Of all pseudo boxes of the step, one image after the other."""
        found = step.pseudo_boxes
        corners = torch.cat([boxes.bboxes for boxes in found])
        labels = torch.cat([boxes.labels for boxes in found])
        cls, box = (torch.ones(len(labels), device=labels.device) for _ in range(2))
        if not len(labels):
            return cls, box
        logits, deltas = step.weak_outputs.of_boxes([boxes.bboxes for boxes in found])
        probabilities = logits.softmax(1).gather(1, labels[:, None])[:, 0]
        if self.cross:
            placed = self._placed(step, deltas)
            overlaps = bbox_overlaps(placed, corners, is_aligned=True)
            distances = relative_distance(placed, corners)
            cls, box = cross_weights(probabilities, overlaps, distances, self.disagreement)
        if self.gate:
            better = torch.cat([boxes.scores for boxes in found]) > probabilities
            step.count("teacher_gate/open", better.float().mean() * step.shares[branch])
            cls = cls * better
        return cls, box

    def _placed(self, step: Step, deltas: Tensor) -> Tensor:
        """Where the student places the pseudo boxes."""
        model: Any = step.model.student
        head, found = box_heads(model)[0], step.pseudo_boxes
        parts = zip(
            found, deltas.split([len(b) for b in found]), step.weak_views.samples, strict=True
        )
        return torch.cat([
            get_box_tensor(head.regress_by_class(b.bboxes, b.labels, own, sample.metainfo))
            for b, own, sample in parts
        ])  # fmt: skip
