"""Thresholds that drop a given share of the teacher's latest labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.schedules import ramp
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import certainty, quantile_thresholds
from ...validation import check_choice, check_range
from .._parts.score_history import ScoreHistory, found_scores
from .threshold_hook import Labels, Limits, ThresholdHook

Measure = Literal["score", "entropy"]


@HOOKS.register_module()
class QuantileThresholdHook(ThresholdHook):
    """Drop the least certain labels: a fixed share of them, independent of their scores.

    For pixels, `measure="entropy", per_class=False` is the percentile of the entropy of U2PL (Wang
    et al., CVPR 2022) and FST: `share=0.2, end=0.0, length=<iterations>` drops a fifth of the
    pixels at first and none at the end. (Their factor BHW / kept on the loss is not applied:
    choose the `reduction` of the model.)

    Args:
        share: Share of the labels that is dropped, in [0, 1]. A teacher's boxes are mostly wrong:
            0.8 for boxes, 0.2 for pixels.
        end: The share moves to this one linearly over `length` iterations after the burn-in.
        measure: "score", or of pixels "entropy": 1 - entropy / log(classes), which the threshold
            that is logged is measured in.
        per_class: A quantile for each class, or one for all labels.
        num_scores: Labels (of each class) that are kept.
        default: Threshold of a class that has fewer than `min_scores` of them.
        floor: Lowest threshold.
        sync: All processes share their scores, so that they have the same thresholds.
        pixels: Pixels of a batch, drawn at random, whose scores are kept.

    Examples:
        >>> from ssdet.testing import pixel_step
        >>> step = pixel_step([[0.9, 0.7, 0.5, 0.3, 0.1]])
        >>> QuantileThresholdHook(share=0.5).after_teacher(step)  # the median is the limit
        >>> step.pseudo.weights
        tensor([[[1., 1., 1., 0., 0.]]])
    """

    def __init__(
        self,
        share: float,
        *,
        end: float | None = None,
        length: int = 0,
        measure: Measure = "score",
        per_class: bool = True,
        num_scores: int = 1000,
        default: float = 0.0,
        floor: float = 0.0,
        min_scores: int = 1,
        sync: bool = True,
        pixels: int = 4096,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(share=share, default=default, floor=floor).items():
            check_range(name, key, value)
        check_choice(name, "measure", measure, Measure)
        check_range(name, "min_scores", min_scores, 1, num_scores)
        check_range(name, "pixels", pixels, 1, float("inf"))
        if end is not None:
            check_range(name, "end", end)
            check_range(name, "length", length, 1, float("inf"))
        elif length:
            raise ValueError(f"{name}: length={length} needs end=<share>, the share after that")
        self.share, self.end, self.length = share, end, length
        self.measure, self.one_limit = measure, not per_class
        self.default, self.floor, self.min_scores = default, floor, min_scores
        self.pixels = pixels
        self.needs = {"soft"} if measure == "entropy" else set()
        self.history = ScoreHistory(name, num_scores, sync)
        self._share = share

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse the entropy for boxes, which lack the probabilities of all classes."""
        super().on_attach(model)
        if self.measure != "entropy":
            return
        if not isinstance(model, TeacherStudentSegmentor):
            raise TypeError(
                f"{type(self).__name__}: measure='entropy' is that of a pixel's probabilities, but "
                f"a {type(model).__name__} finds boxes, which have a score alone; take "
                "measure='score'"
            )

    def observe(self, step: Step) -> None:
        """Store the new values, and compute the share to drop now."""
        values, labels = found_scores(step, self.evidence, self.pixels)
        classes = self.count_classes(step)
        if self.one_limit:
            labels, classes = labels.where(labels >= classes, 0), 1
        drawn = isinstance(step.pseudo, PixelLabels)
        self.history.push(values, labels, classes, are_drawn=drawn)
        if self.end is not None:
            since = step.iteration - getattr(step.model, "burn_in", 0)
            self._share = self.share + (self.end - self.share) * ramp(since, self.length, "linear")
        step.count("quantile/share", self._share)

    def evidence(self, labels: Labels) -> Tensor:
        """The score, or how far the entropy is from its highest value."""
        if self.measure == "score" or not isinstance(labels, PixelLabels):
            return labels.scores
        if labels.soft is None:
            raise ValueError(
                f"{type(self).__name__}: measure='entropy' needs the teacher's probabilities; a "
                "hook before it has removed them"
            )
        return certainty(labels.soft).clamp(min=1e-6)  # a value of 0 is an empty slot

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The quantiles."""
        scores = self.history.of(1 if self.one_limit else classes, device)
        found = quantile_thresholds(
            scores, self._share, default=self.default, min_scores=self.min_scores
        )
        return Limits(found.clamp(min=self.floor).expand(classes))

    def state_dict(self) -> dict[str, Any]:
        """The stored values."""
        return self.history.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the values."""
        self.history.load_state_dict(state)
