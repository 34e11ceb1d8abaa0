"""Background scores: negative proposals are weighted by the teacher's confidence in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import between, clip_boxes, project_boxes
from ...teacher_student.heads import box_forward
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...teacher_student.weights.sparse import scored_negatives
from .._parts.cached_images import are_mixed, comes_with_batch
from .._parts.softmax_heads import check_softmax_heads
from ..step_hook import StepHook


@HOOKS.register_module()
class BackgroundScoreHook(StepHook):
    """The teacher's background probability weights the student's negatives in the classification.

    Soft Teacher (Xu et al. 2021): with a high threshold many objects have no pseudo
    box, and what lies on them would be trained on as background. Each sampled negative proposal is
    mapped into the weak view and scored by the teacher's RoI head; its probability of background
    is the weight. The loss is divided by the sum of the weights (a positive counts as 1), at least
    by 1: sum w l / max(sum w, 1). In a cascade, each stage of the teacher scores the proposals of
    its stage. Views that are not of one image each, which other hooks have added
    (`unsup_student_<word>`, such as mosaics) or mixed, are not changed: negatives have weight 1.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(BackgroundScoreHook())  # a RetinaNet samples no proposals
        Traceback (most recent call last):
        TypeError: BackgroundScoreHook: weights negative proposals and works with two-stage ...
    """

    phase = Phase.LOSS
    needs_twin = True

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads, and classifications without weights."""
        check_softmax_heads(
            type(self).__name__,
            model,
            "weights negative proposals",
            "be weighted by a probability of background",
        )
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within the context, the teacher scores the negatives of this strong view."""
        seen = branch in step.targets and comes_with_batch(branch)
        seen = seen and not are_mixed(step.strong[branch])
        roi_head: Any = step.model.student.roi_head
        score = partial(self._score, step, branch) if seen else None
        with scored_negatives(roi_head, score):
            yield

    @torch.no_grad()
    def _score(self, step: Step, branch: str, stage: int, results: list[Any]) -> list[Tensor]:
        boxes = [
            clip_boxes(project_boxes(result.neg_priors, between(strong, weak)), weak.img_shape)
            for result, strong, weak in zip(
                results, step.strong[branch].samples, step.weak_views.samples, strict=True
            )
        ]
        counts = [len(each) for each in boxes]
        if not sum(counts):
            return [each.new_zeros(0) for each in boxes]
        teacher: Any = step.model.teacher.roi_head
        logits, _ = box_forward(teacher, stage, step.teacher_features, boxes)
        background = logits.softmax(-1)[:, -1]
        step.log[f"background_score/mean_{stage}"] = background.mean()
        return list(background.split(counts))
