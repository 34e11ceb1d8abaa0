"""Stage agreement: the stages of a cascade vote on how well a pseudo box is placed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import box_heads, check_roi_heads, refined_boxes
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import ALL_STAGES, AMBIGUOUS, HIGH, PseudoBoxes
from ...teacher_student.step import Step
from ...teacher_student.task_sets import check_task_sets
from ...thresholds.box_quality import stage_agreement
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class StageAgreementHook(StepHook):
    """Mean IoU between the boxes of successive stages, as the quality of a pseudo box.

    The teacher's cascade starts from the pseudo box; where its stages still move the box, it is
    badly placed. It replaces `BoxJitterHook` with one pass of as many boxes as there are
    pseudo boxes, instead of ten. The boxes get the field `loc_quality` in [0, 1]. (Ours; it
    follows no paper.)

    Args:
        threshold: Boxes whose quality is not above leave the set of the box regression and of the
            masks. None: they all stay.
        weigh: Multiply the weights of the box losses by the quality.
        max_stage_by_level: How many stages learn boxes of a level (2 HIGH, 1 AMBIGUOUS); levels
            that are not named: all. `{1: 1}`: the late stages, which need an IoU of 0.6 and
            0.7, learn only the confident boxes. A box is ignored in later stages, not background.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(StageAgreementHook())  # a RetinaNet has no stages
        Traceback (most recent call last):
        TypeError: StageAgreementHook: compares the stages of a cascade and works with two-stage ...
    """

    phase = Phase.WEIGHT
    needs_twin = True

    def __init__(
        self,
        threshold: float | None = None,
        *,
        weigh: bool = True,
        max_stage_by_level: Mapping[int, int] | None = None,
    ) -> None:
        name = type(self).__name__
        if threshold is not None:
            check_range(name, "threshold", threshold)
        self.threshold, self.weigh = threshold, weigh
        self.max_stage = {int(k): int(v) for k, v in (max_stage_by_level or {}).items()}
        for level, stages in self.max_stage.items():
            check_range(name, "level of max_stage_by_level", level, AMBIGUOUS, HIGH)
            check_range(name, f"max_stage_by_level[{level}]", stages, 0, float("inf"))

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without at least two stages."""
        name = type(self).__name__
        check_roi_heads(name, model, "compares the stages of a cascade")
        stages = len(box_heads(model.student.roi_head))
        if stages < 2:
            raise TypeError(
                f"{name}: compares successive stages, and the RoI head of a "
                f"{type(model.student).__name__} has {stages}. Use BoxJitterHook."
            )
        if self.threshold is not None:
            check_task_sets(name, model.student, "box")
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Weight the boxes, or reduce the sets of the box regression."""
        teacher: Any = step.model.teacher.roi_head
        found = step.pseudo_boxes
        boxes, labels = [each.bboxes for each in found], [each.labels for each in found]
        features, samples = step.teacher_features, step.weak_views.samples
        stages = refined_boxes(teacher, features, boxes, labels, samples)
        for each, moved in zip(found, stages, strict=True):
            each.loc_quality = stage_agreement(moved)
            if self.weigh:
                each.weight_box = each.weight_box * each.loc_quality
            if self.threshold is not None:
                each.exclude_from_task("box", each.loc_quality <= self.threshold)
            if self.max_stage:
                self._limit_stages(each)
        quality = torch.cat([each.loc_quality for each in found])
        if len(quality):
            step.count("stage_agreement/quality", quality.mean())
        if self.threshold is not None:
            step.count("stage_agreement/kept", sum(e.in_box.sum() for e in found) / len(found))

    def _limit_stages(self, boxes: PseudoBoxes) -> None:
        """Set how many stages learn each box; pasted boxes keep it."""
        table = torch.full((HIGH + 1,), ALL_STAGES)
        table[list(self.max_stage)] = torch.tensor(list(self.max_stage.values()))
        boxes.max_stage = table.to(boxes.level.device)[boxes.level]
