"""Uncertainty by sampling: several passes of the teacher with dropout."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...mixing.label_noise import clipped_noise
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import Ramp, ramp
from ...teacher_student.step import Step, Views
from ...thresholds import entropy_of
from ...validation import check_choice, check_range
from .._parts.features import active_dropout, dropouts
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook


@HOOKS.register_module()
class DropoutUncertaintyHook(StepHook):
    """Pixels on which passes with dropout are uncertain on average get weight 0 (UA-MT, 2019).

    The probabilities of the passes, each with dropout and noise on the input, are averaged. A pixel
    is trained on where the entropy of the mean is below a limit, which rises from `start` to 1
    times the highest possible entropy. With `ConsistencyHook` it is the baseline of methods that
    need one pass; the labels and probabilities stay those of the teacher without dropout.

    Args:
        passes: Of the teacher; each costs as much as labeling.
        noise, noise_limit: Standard deviation and bound of the noise on the normalized input.
        start: The limit at first, as a share of ln(classes).
        ramp_length, ramp_kind: Iterations after the burn-in over which the limit rises.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> hook = DropoutUncertaintyHook(passes=2, start=0.5, ramp_length=100)
        >>> step = take_step(segmentor(), hook)
        >>> step.log["dropout/sure"]  # an untrained teacher is certain of nothing
        tensor(0.)
        >>> step.pseudo.weights.max()
        tensor(0.)
    """

    phase = Phase.FILTER
    selects_labels = True

    def __init__(
        self,
        passes: int = 8,
        *,
        noise: float = 0.1,
        noise_limit: float = 0.2,
        start: float = 0.75,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
    ) -> None:
        name = type(self).__name__
        check_range(name, "passes", passes, 1, float("inf"))
        for key, value in dict(
            noise=noise, noise_limit=noise_limit, ramp_length=ramp_length
        ).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "start", start)
        check_choice(name, "ramp_kind", ramp_kind, Ramp)
        self.passes, self.noise, self.noise_limit, self.start = passes, noise, noise_limit, start
        self.ramp_length, self.ramp_kind = ramp_length, ramp_kind

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors, and a teacher without dropout."""
        model = segmentor_only(self, model, "weights pixels")
        if not dropouts(model.teacher):
            raise ValueError(
                f"{type(self).__name__}: the segmentor has no dropout, so all passes are equal; "
                "set dropout_ratio of its decode_head above 0"
            )
        super().on_attach(model)

    @torch.no_grad()
    def after_teacher(self, step: Step) -> None:
        """Set the weight of pixels to 0 where the passes are uncertain."""
        pixels = step.pseudo_pixels
        mean = self._sampled(step)
        since = step.iteration - step.model.burn_in
        share = self.start + (1 - self.start) * ramp(since, self.ramp_length, self.ramp_kind)
        entropy = entropy_of(mean.float())
        certain = entropy < share * math.log(mean.shape[1])
        pixels.weights = pixels.weights * certain
        if pixels.valid.any():
            step.count("dropout/entropy", entropy[pixels.valid].mean())
            step.count("dropout/sure", certain[pixels.valid].float().mean())

    def _sampled(self, step: Step) -> Tensor:
        """The mean probabilities (B, C, H, W) of all passes."""
        model, views = step.model, step.weak_views
        total: Any = 0.0
        with active_dropout(model.teacher):
            for _ in range(self.passes):
                noisy = clipped_noise(views.inputs, self.noise, self.noise_limit)
                noisy_views = Views(noisy, views.samples)
                total = total + model.label(noisy_views, needs={"soft"}).soft
        return total / self.passes
