"""Half views: the strong view at half its size has the same targets, one level further down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch.nn.functional as F
from mmdet.models.roi_heads import StandardRoIHead
from torch import Tensor, nn

from ...models.shifted_fpn import ShiftedFPN
from ...ranks import any_rank
from ...registry import HOOKS
from ...teacher_student.core import STRONG, TeacherStudent, weighted
from ...teacher_student.heads import check_roi_heads
from ...teacher_student.phase import Phase
from ...teacher_student.recording import replaced
from ...teacher_student.step import Step, Views
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class HalfViewHook(StepHook):
    """The student learns every strong view once more at half its size.

    PseCo's consistency of features (Li et al., ECCV 2022). A neck `ShiftedFPN` gives for the half
    view a level further down, so that all maps have the sizes of the whole view, and anchors,
    sampled proposals, targets and weights are the same. Masks learn from the whole view alone.

    Args:
        weight: Of these losses, times the weight of unlabeled images.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(HalfViewHook())
        Traceback (most recent call last):
        TypeError: HalfViewHook: learns proposals twice and works with two-stage ...
    """

    phase = Phase.LOSS

    def __init__(self, *, weight: float = 1.0) -> None:
        check_range(type(self).__name__, "weight", weight, 0, float("inf"))
        self.weight = weight

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without one RoI head, and other necks."""
        name, student = type(self).__name__, model.student
        check_roi_heads(name, model, "learns proposals twice")
        if not isinstance(student.roi_head, StandardRoIHead):
            raise TypeError(
                f"{name}: learns the proposals of one RoI head twice, and a "
                f"{type(student).__name__} has several. Take it out of custom_hooks."
            )
        if not isinstance(student.neck, ShiftedFPN):
            raise TypeError(
                f"{name}: needs a neck whose levels can be shifted, not a "
                f"{type(student.neck).__name__}: set detector.neck.type='ShiftedFPN' with "
                "num_outs one more (configs/pseco)."
            )
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within the context, the losses of the half view follow those of the whole one.

        So they have all that other hooks change in the pass, whatever their order.
        """
        if branch not in step.targets:
            yield
            return
        with replaced(self.attached_model, "student_losses", partial(self._twice, step, branch)):
            yield

    def _twice(self, step: Step, branch: str, learn: Any) -> Any:
        model = self.attached_model
        student: Any = model.student

        def both(views: Views, targets: Any, network: nn.Module | None = None) -> dict[str, Any]:
            if network not in (None, student):
                return learn(views, targets, network)
            seen: list[Any] = []  # what the RPN learns
            sampled: list[tuple[Tensor, Any, Any]] = []  # what the RoI head learns
            with (
                replaced(student.rpn_head, "loss_and_predict", _keep_samples(seen)),
                replaced(student.roi_head.bbox_head, "loss_and_target", _keep_sampled(sampled)),
            ):
                losses: dict[str, Any] = learn(views, targets, network)
            half = self._half(views.inputs, seen[0], sampled)
            learns = any_rank(not model.targets_empty(targets))
            factor = step.unsup_weight * step.shares[branch] if learns else 0.0
            prefix = branch.replace(STRONG, "unsup") + "_half_"
            step.losses.update(weighted(half, prefix, factor * self.weight))
            return losses

        return both

    def _half(self, inputs: Tensor, samples: Any, sampled: list[Any]) -> dict[str, Any]:
        student: Any = self.attached_model.student
        half = F.interpolate(inputs, scale_factor=0.5, mode="nearest")
        student.neck.start = 0
        try:
            features = student.extract_feat(half)
        finally:
            student.neck.start = 1
        rpn = student.rpn_head.loss(features, samples)
        losses = {name if "rpn" in name else f"rpn_{name}": value for name, value in rpn.items()}
        # With sets of boxes for each task, classes are learned first and boxes from others.
        for number, (rois, results, settings) in enumerate(sampled):
            found = student.roi_head._bbox_forward(features, rois)
            learned = student.roi_head.bbox_head.loss_and_target(
                found["cls_score"], found["bbox_pred"], rois, results, settings
            )["loss_bbox"]
            words = ("cls", "bbox") if len(sampled) == 1 else (("cls", "bbox")[number],)
            losses.update(
                {k: v for k, v in learned.items() if "loss" in k and any(w in k for w in words)}
            )
        return losses


def _keep_samples(seen: list[Any]) -> Any:
    def make(learn: Any) -> Any:
        def kept(features: Any, samples: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(samples)
            return learn(features, samples, *args, **kwargs)

        return kept

    return make


def _keep_sampled(sampled: list[tuple[Tensor, Any, Any]]) -> Any:
    def make(learn: Any) -> Any:
        def kept(
            cls_score: Tensor, bbox_pred: Tensor, rois: Tensor, sampling_results: Any,
            rcnn_train_cfg: Any, *args: Any, **kwargs: Any,
        ) -> Any:  # fmt: skip
            sampled.append((rois, sampling_results, rcnn_train_cfg))
            return learn(
                cls_score, bbox_pred, rois, sampling_results, rcnn_train_cfg, *args, **kwargs
            )

        return kept

    return make
