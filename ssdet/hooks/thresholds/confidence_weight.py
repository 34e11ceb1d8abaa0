"""CW-BASS: thresholds and weights from the teacher's confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step
from ...thresholds.mean_confidence import mean_confidence_threshold
from ...validation import check_choice, check_pair, check_range
from .._parts.model_kind import honors_weights
from ..step_hook import StepHook
from .threshold_hook import Limits, ThresholdHook

Decay = Literal["constant", "per_epoch"]


@HOOKS.register_module()
class MeanConfidenceThresholdHook(ThresholdHook):
    """One threshold for all classes that follows the mean confidence of the batch.

    CW-BASS (Tarubinga et al., IJCNN 2025): base / (1 + exp(-beta (c - 0.5))), within `bounds`. The
    mean goes over the valid pixels (or the boxes) of all processes. What is below is dropped.

    With the published base 0.6 and beta 0.5 the threshold lies between 0.30 and 0.337 for any
    teacher: a constant, in effect. beta=5 makes it move (up to 0.554).

    Args:
        base: Upper end of the sigmoid, in [0, 1].
        beta: Steepness, at least 0.
        bounds: Lowest and highest threshold, in [0, 1].

    Examples:
        >>> from ssdet.testing import pixel_step
        >>> step = pixel_step([[0.9, 0.8, 0.1]])
        >>> MeanConfidenceThresholdHook(bounds=(0.3, 0.8)).after_teacher(step)
        >>> step.pseudo.weights
        tensor([[[1., 1., 0.]]])
        >>> MeanConfidenceThresholdHook(bounds=(0.8, 0.3))
        Traceback (most recent call last):
        ValueError: MeanConfidenceThresholdHook: bounds=(0.8, 0.3) is not (low, high) ...
    """

    uncertain_as = "drop"
    log_limits = False  # the same for all classes: one number is logged

    def __init__(
        self, base: float = 0.6, beta: float = 0.5, *, bounds: Sequence[float] = (0.3, 0.8)
    ) -> None:
        name = type(self).__name__
        check_range(name, "base", base)
        check_range(name, "beta", beta, 0, float("inf"))
        self.base, self.beta = base, beta
        self.bounds = check_pair(name, "bounds", bounds)
        self._value = bounds[0]

    def observe(self, step: Step) -> None:
        """The mean confidence of this batch, in all processes."""
        total, count = _sum_of_scores(step)
        sums = torch.stack([total.double(), count.double()])
        all_reduce(sums)
        mean = float(sums[0] / sums[1]) if sums[1] > 0 else 0.0
        self._value = mean_confidence_threshold(mean, self.base, self.beta, self.bounds)
        step.log["cw_bass/confidence"] = mean
        step.log["cw_bass/threshold"] = self._value

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The threshold of this batch."""
        return Limits(torch.full((classes,), self._value, device=device))


@HOOKS.register_module()
class ConfidenceWeightHook(StepHook):
    """Weight every pseudo label with (decay * score) ** gamma, as CW-BASS does.

    What a threshold dropped keeps its weight 0. The weight applies to pixels in their mean, to
    boxes in classification and regression.

    A constant decay is a constant factor on the loss, no more; "per_epoch" lets it grow smaller,
    as described in the paper: decay ** epoch.

    Args:
        gamma: Exponent, at least 0; CW-BASS 1.
        decay: Factor on the scores, in (0, 1]; 1 is off (the published code's default), 0.9 the
            published value where it is on.
        decay_schedule: "constant" or "per_epoch".
        epoch_length: Iterations of an epoch, counted from the end of the burn-in; needed for
            "per_epoch".

    Examples:
        >>> from ssdet.testing import pixel_step
        >>> step = pixel_step([[0.9, 0.5]])
        >>> ConfidenceWeightHook(gamma=2.0).after_teacher(step)
        >>> step.pseudo.weights
        tensor([[[0.8100, 0.2500]]])
    """

    phase = Phase.WEIGHT

    def __init__(
        self,
        gamma: float = 1.0,
        *,
        decay: float = 1.0,
        decay_schedule: Decay = "constant",
        epoch_length: int | None = None,
    ) -> None:
        name = type(self).__name__
        check_range(name, "gamma", gamma, 0, float("inf"))
        check_range(name, "decay", decay)
        check_choice(name, "decay_schedule", decay_schedule, Decay)
        if decay == 0:
            raise ValueError(f"{name}: decay=0 makes all weights 0; give a number in (0, 1]")
        if decay_schedule == "per_epoch" and not (epoch_length and epoch_length > 0):
            raise ValueError(
                f"{name}: decay_schedule='per_epoch' needs epoch_length (iterations), not "
                f"{epoch_length!r}"
            )
        self.gamma, self.decay = gamma, decay
        self.epoch_length = epoch_length if decay_schedule == "per_epoch" else None

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a segmentor without a loss that supports weights of pixels."""
        if isinstance(model, TeacherStudentSegmentor):
            honors_weights(self, model)
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Weight pixels or boxes."""
        factor = self._factor(step)
        step.log["cw_bass/decay"] = factor
        if isinstance(step.pseudo, PixelLabels):
            step.pseudo.weights = step.pseudo.weights * self._weight(step.pseudo.scores, factor)
            return
        for boxes in step.pseudo_boxes:
            weight = self._weight(boxes.scores, factor)
            boxes.weight_cls, boxes.weight_box = (
                boxes.weight_cls * weight,
                boxes.weight_box * weight,
            )

    def _factor(self, step: Step) -> float:
        if self.epoch_length is None:
            return self.decay
        since = step.iteration - step.model.burn_in
        return float(self.decay ** (max(since, 0) // self.epoch_length))

    def _weight(self, scores: Tensor, factor: float) -> Tensor:
        return (factor * scores) ** self.gamma


def _sum_of_scores(step: Step) -> tuple[Tensor, Tensor]:
    """Sum and number of the scores of valid pixels, or of boxes."""
    if isinstance(step.pseudo, PixelLabels):
        return (step.pseudo.scores * step.pseudo.valid).double().sum(), step.pseudo.valid.sum()
    scores = torch.cat([boxes.scores for boxes in step.pseudo_boxes])
    return scores.double().sum(), torch.tensor(len(scores), device=scores.device)
