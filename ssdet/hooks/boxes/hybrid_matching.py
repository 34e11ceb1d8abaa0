"""Hybrid matching: several queries of a DETR learn each box at first, and one of them later."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.logging import print_log

from ...losses.one_to_many import OneToManyLoss
from ...models.hf_detector import HFDetector
from ...models.staged_matching import StagedMatching, is_known, weights_of
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...teacher_student.weights.honor import apply_mixin
from ...validation import check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

HUGGING_FACE = ("rt_detr", "rt_detr_v2", "deformable_detr")


@HOOKS.register_module()
class HybridMatchingHook(StepHook):
    """Until `switch`, a box is learned by the `topk` queries that fit it best; then by one.

    Semi-DETR (Zhang et al., CVPR 2023). A wrong pseudo box of which one query is told is one query
    spoiled; several queries, each with its own fit as the target, bear it better and learn
    faster. They find an object more than once, so predictions are suppressed in this stage, and
    those that label images always. Labeled and unlabeled images are alike, but in the first stage
    denoising queries learn from labeled ones alone.

    For DETRs of MMDetection with sigmoids (DINO, Deformable, Conditional and DAB DETR), and for
    RT-DETR and Deformable DETR of `HFDetector`. The stage is a function of the iteration. A model
    whose training ends before `switch` needs a suppression of duplicates where it is used.

    Args:
        switch: The iteration from which a box is matched with one query.
        topk: So many queries learn a box before it.
        alpha, beta: A query fits by probability^alpha * IoU^beta.
        nms: Overlap with a better box of its class from which one is a duplicate.
        min_score: Least score of a box where duplicates are suppressed.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(HybridMatchingHook(switch=1000))  # a RetinaNet has no queries
        Traceback (most recent call last):
        TypeError: HybridMatchingHook: matches boxes with queries, and works with ...
    """

    phase = Phase.LOSS
    needs_twin = True
    changes_passes = False  # what it changes is the losses of a view, in any pass

    def __init__(
        self,
        switch: int,
        *,
        topk: int = 13,
        alpha: float = 1.0,
        beta: float = 6.0,
        nms: float = 0.6,
        min_score: float = 0.01,
    ) -> None:
        name = type(self).__name__
        check_range(name, "switch", switch, 0, float("inf"))
        check_range(name, "topk", topk, 1, float("inf"))
        for key, value in dict(alpha=alpha, beta=beta).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "nms", nms)
        check_range(name, "min_score", min_score)
        self.switch, self.topk, self.alpha, self.beta = switch, topk, alpha, beta
        self.nms, self.min_score = nms, min_score

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without queries, or with other losses of them."""
        student: Any = detector_only(self, model, "matches boxes with queries").student
        head = getattr(student, "bbox_head", None)
        hugging = isinstance(student, HFDetector)
        if not (student.kind in HUGGING_FACE if hugging else is_known(head)):
            found = f"{type(student).__name__} ({student.kind if hugging else type(head).__name__})"
            raise TypeError(
                f"{type(self).__name__}: matches boxes with queries, and works with DINO, "
                "Deformable, Conditional and DAB DETR of MMDetection and with "
                f"{', '.join(HUGGING_FACE)} of HFDetector, not with a {found}. Take it out of "
                "custom_hooks, or use another detector."
            )
        super().on_attach(model)
        self._suppression = student.limits.nms if hugging else None  # in the second stage
        if not hugging:
            for network in (student, model.teacher):
                apply_mixin(network.bbox_head, StagedMatching)

    def before_train(self, runner: Any) -> None:
        """Say so where the training ends in the first stage."""
        super().before_train(runner)
        if runner.max_iters < self.switch:
            print_log(
                f"{type(self).__name__}: the training ends at {runner.max_iters}, before "
                f"switch={self.switch}: the model will find objects more than once. Set a lower "
                "switch, half of the training as published.",
                logger="current",
                level=30,
            )

    def before_val_epoch(self, runner: Any) -> None:
        """An evaluation is of the stage that the model is in."""
        self._enter(self.attached_model.iteration)

    before_test_epoch = before_val_epoch

    def before_teacher(self, step: Step) -> None:
        """Both models enter the stage of the iteration."""
        self._enter(step.iteration)
        step.log["matching/queries"] = self.topk if self._early(step.iteration) else 1

    @contextmanager
    def teacher_pass(self, step: Step) -> Iterator[None]:
        """Pseudo labels have no duplicates in any stage."""
        teacher = self.attached_model.teacher
        self._suppress(teacher, True)
        try:
            yield
        finally:
            self._suppress(teacher, self._early(step.iteration))

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Denoising queries of pseudo boxes learn in the second stage only."""
        host = _host(self.attached_model.student)
        host.denoise = branch == "sup" or not self._early(step.iteration)
        try:
            yield
        finally:
            host.denoise = True

    def _early(self, iteration: int) -> bool:
        return iteration < self.switch

    def _enter(self, iteration: int) -> None:
        model, early = self.attached_model, self._early(iteration)
        for network in (model.student, model.teacher):
            host = _host(network)
            weights = host.loss.weights if isinstance(network, HFDetector) else weights_of(host)
            rule = OneToManyLoss(weights, self.topk, self.alpha, self.beta)
            host.one_to_many = rule if early else None
            self._suppress(network, early)

    def _suppress(self, network: Any, suppress: bool) -> None:
        if isinstance(network, HFDetector):
            nms = self.nms if suppress else self._suppression
            network.limits = dataclasses.replace(network.limits, nms=nms)
        else:
            network.bbox_head.suppress = (self.min_score, self.nms) if suppress else None


def _host(network: Any) -> Any:
    """What computes the losses: a head, or the criterion of `HFDetector`."""
    hugging = isinstance(network, HFDetector)
    return network.network.loss_function if hugging else network.bbox_head
