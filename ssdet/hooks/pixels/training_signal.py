"""Training signal annealing: labels that the student already knows wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmseg.structures.sampler import BasePixelSampler
from torch import Tensor

from ...losses.pixels import two_channels
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import stages
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...thresholds.training_signal import Release, signal_threshold
from ...validation import check_choice, check_range
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook


@HOOKS.register_module()
class TrainingSignalHook(StepHook):
    """Annotated pixels of which the student is surer than a rising threshold teach nothing yet.

    Training signal annealing of UDA (Xie et al., NeurIPS 2020), against learning a few labels by
    heart while many unlabeled images still teach. A pixel counts while the probability of its
    label is at most the threshold, and the loss is the mean over those that count, of every head.

    Args:
        length: Iterations of the training until all labels count.
        release: "linear"; "exp" releases late, for very few labels; "log" early.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), TrainingSignalHook(length=100))
        >>> step.log["training_signal/threshold"]  # of four classes, at the start
        0.25
    """

    phase = Phase.LOSS
    changes_passes = False  # what changes is the supervised loss, which a joint pass has, too

    def __init__(self, length: int, *, release: Release = "linear") -> None:
        name = type(self).__name__
        check_range(name, "length", length, 1, float("inf"))
        check_choice(name, "release", release, Release)
        self.length, self.release = length, release

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors, hard example mining, and losses of another kind."""
        segmentor_only(self, model, "chooses among labeled pixels")
        self.heads: list[Any] = [
            module for module in model.student.modules() if hasattr(module, "loss_decode")
        ]
        for head in self.heads:
            if getattr(head, "sampler", None) is not None:
                raise ValueError(
                    f"{type(self).__name__}: {type(head).__name__} has a "
                    f"{type(head.sampler).__name__}, which chooses pixels, too. Take one of the "
                    "two out"
                )
            _Signal(head, 0.0)  # which checks the loss
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """The supervised loss of each head has a sampler of pixels."""
        if branch != "sup":
            yield
            return
        progress, classes = step.iteration / self.length, step.model.num_classes
        limit = signal_threshold(progress, classes, self.release)
        step.log["training_signal/threshold"] = limit
        for head in self.heads:
            head.sampler = _Signal(head, limit)
        try:
            yield
        finally:
            for head in self.heads:
                head.sampler = None


class _Signal(BasePixelSampler):
    """The pixels whose label has at most this probability."""

    def __init__(self, head: Any, limit: float) -> None:
        super().__init__()
        kinds = {getattr(loss, "avg_non_ignore", None) for loss in stages(head.loss_decode)}
        weighted = [getattr(loss, "class_weight", None) for loss in stages(head.loss_decode)]
        if len(kinds) > 1 or None in kinds or any(one is not None for one in weighted):
            raise ValueError(
                f"TrainingSignalHook: the loss of {type(head).__name__} is no mean over pixels "
                "that this hook knows. Use CrossEntropyLoss without class_weight as loss_decode"
            )
        self.limit, self.ignore = limit, head.ignore_index
        (self.counts_labeled,) = kinds  # else the loss divides by all pixels

    @torch.no_grad()
    def sample(self, seg_logit: Tensor, seg_label: Tensor) -> Tensor:
        """Weights (B, H, W) for logits (B, C, H, W) and labels (B, 1, H, W)."""
        labels = seg_label[:, 0].long()
        valid = labels != self.ignore
        right = labels.where(valid, 0)[:, None]
        chances = two_channels(seg_logit.float()).softmax(1).gather(1, right)[:, 0]
        counted = (valid & (chances <= self.limit)).float()
        divisor = valid.sum() if self.counts_labeled else valid.numel()
        return counted * (divisor / counted.sum().clamp(min=1))
