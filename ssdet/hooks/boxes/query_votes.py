"""Query votes: a label stays if several queries of the student predict it too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...losses.queries import query_votes
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...teacher_student.weights.sets import box_targets
from ...validation import check_range
from .._parts.cached_images import are_mixed, comes_with_batch
from .._parts.model_kind import detector_only
from .._parts.queries import check_queries, predicted_queries
from ..step_hook import StepHook


@HOOKS.register_module()
class QueryVotesHook(StepHook):
    """Drop the labels that fewer than `votes` queries of the student predict in the strong view.

    Inspired by the filtering of reliable pseudo labels in Sparse Semi-DETR (Shehzadi et al., CVPR
    2024), of which no code is public: what a vote is here is ours. While several queries learn
    each box (`HybridMatchingHook`), a right label has several queries on it soon; a wrong one
    lingers with few. Afterwards a box has one query and no votes, so the hook ends with that
    stage: set `until` to its `switch`.

    List a threshold too. It shares the pass of the student with `CostMiningHook`.

    Args:
        votes: So many queries must predict the class of a label, with
        agreement: at least this overlap.
        start: The first iteration; before it the student's queries say too little.
        until: From this iteration on all labels stay. None: the hook does not end.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(QueryVotesHook())  # a RetinaNet has no queries
        Traceback (most recent call last):
        TypeError: QueryVotesHook: matches boxes with the queries of a DETR ...
    """

    phase = Phase.FILTER

    def __init__(
        self,
        *,
        votes: int = 3,
        agreement: float = 0.6,
        start: int = 0,
        until: int | None = None,
    ) -> None:
        name = type(self).__name__
        check_range(name, "votes", votes, 1, float("inf"))
        check_range(name, "agreement", agreement)
        check_range(name, "start", start, 0, float("inf"))
        if until is not None:
            check_range(name, "until", until, start, float("inf"))
        self.votes, self.agreement, self.start, self.until = votes, agreement, start, until

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without queries."""
        check_queries(type(self).__name__, detector_only(self, model, "asks queries"))
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Take labels, and queries made of boxes, out of the targets of each strong view."""
        over = self.until is not None and step.iteration >= self.until
        if over or step.iteration < self.start:
            return
        for branch, targets in step.targets.items():
            if not comes_with_batch(branch) or are_mixed(step.strong[branch]):
                continue
            logits, places = predicted_queries(step, branch)
            for sample, scores, own in zip(targets, logits, places, strict=True):
                lost = self._filter(sample, scores, own)
                step.count("votes/dropped", lost / len(targets))

    def _filter(self, sample: Any, logits: Tensor, places: Tensor) -> Tensor:
        """How many labels of an image were dropped."""
        before = len(sample.gt_instances)
        for field in ("gt_instances", "query_boxes"):
            boxes = sample.get(field)
            if boxes is not None:
                target = box_targets(boxes, sample.img_shape[:2], places)
                kept = query_votes(logits, places, target, self.agreement) >= self.votes
                setattr(sample, field, boxes.split(kept)[0])
        return torch.as_tensor(before - len(sample.gt_instances))
