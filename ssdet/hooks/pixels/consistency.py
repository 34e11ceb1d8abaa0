"""Soft consistency: the student's probabilities follow the teacher's, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...losses import pixel_mean, sharpen
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import last_decode_head
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import Ramp, ramp
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_choice, check_range
from .._parts.model_kind import logits_only
from ..step_hook import StepHook

Distance = Literal["squared", "kl"]


@HOOKS.register_module()
class ConsistencyHook(StepHook):
    """The distance between the probabilities of student and teacher.

    Mean Teacher (Tarvainen & Valpola 2017) for pixels: |p_student - p_teacher|^2, averaged over the
    classes and then over the pixels with the model's reduction, so that thresholds and weights
    count here too. To use it without hard pseudo labels, set `unsup_weight=0.0` of the model.

    Args:
        weight: Factor on the loss; several strong views share it.
        ramp_length: Iterations after the burn-in over which the factor rises.
        ramp_kind: "sigmoid", exp(-5 (1 - t/length)^2), or "linear".
        distance: "squared", or "kl": the divergence KL(teacher || student), summed over the
            classes (CorrMatch).
        temperature: Of the teacher's probabilities, p^(1/T) / sum p^(1/T): below 1 it sharpens
            them. UDA (Xie et al., NeurIPS 2020) has 0.4, with "kl" and a threshold.
        skip: Views that are left alone, such as "unsup_student_features".

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), ConsistencyHook(weight=1.0))
        >>> bool(step.losses["unsup_loss_consistency"] > 0)
        True
        >>> ConsistencyHook(weight=-1.0)
        Traceback (most recent call last):
        ValueError: ConsistencyHook: weight=-1.0 is not in [0, inf]
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs", "soft_targets"})
    loss_name = "consistency"
    needs_labels = True  # there is nothing to learn where all weights are 0

    def __init__(
        self,
        weight: float = 1.0,
        *,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
        distance: Distance = "squared",
        temperature: float = 1.0,
        skip: Sequence[str] = (),
    ) -> None:
        name = type(self).__name__
        check_range(name, "temperature", temperature, 1e-3, float("inf"))
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "ramp_length", ramp_length, 0, float("inf"))
        check_choice(name, "ramp_kind", ramp_kind, Ramp)
        check_choice(name, "distance", distance, Distance)
        self.distance, self.skip, self.temperature = distance, frozenset(skip), temperature
        self.weight, self.ramp_length, self.ramp_kind = weight, ramp_length, ramp_kind

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse heads that have no logits of pixels."""
        self.learns_without_labels = not self.needs_labels
        super().on_attach(logits_only(self, model, "compares pixels"))

    def after_loss(self, step: Step) -> None:
        """Add a loss for each strong view."""
        since = step.iteration - step.model.burn_in
        factor = self.weight * ramp(since, self.ramp_length, self.ramp_kind)
        for name in step.targets:
            # A view without anything to learn was not passed.
            if name in step.outputs and name not in self.skip:
                key = name.replace("unsup_student", "unsup") + f"_loss_{self.loss_name}"
                step.losses[key] = factor * step.shares[name] * self.compare(step, name)

    def compare(self, step: Step, name: str) -> Tensor:
        """The loss of one strong view, without its factor; a subclass may override it."""
        return self._loss(step.outputs[name], step.targets[name])

    def probabilities(self, logits: Tensor, targets: PixelLabels) -> tuple[Tensor, Tensor]:
        """Probabilities (B, C, H, W) of student and teacher, in the size of the view."""
        if targets.soft is None:
            raise RuntimeError(f"{type(self).__name__}: the teacher's probabilities were not kept")
        return self.enlarged(logits, targets.soft.shape[-2:]), targets.soft

    def enlarged(self, logits: Tensor, size: torch.Size) -> Tensor:
        """Probabilities (B, C, H, W) of the student's logits, in the size of the view."""
        model: Any = self.model
        corners = last_decode_head(model.student).align_corners
        large = F.interpolate(logits.float(), size, mode="bilinear", align_corners=corners)
        return model.probabilities(large)

    def _loss(self, logits: Tensor, targets: PixelLabels) -> Tensor:
        model: Any = self.model
        student, teacher = self.probabilities(logits, targets)
        if self.temperature != 1:
            teacher = sharpen(teacher, self.temperature)
        if self.distance == "kl":
            difference = F.kl_div(student.clamp(min=1e-8).log(), teacher, reduction="none").sum(1)
        else:
            difference = (student - teacher).square().mean(1)
        return pixel_mean(difference, targets.weights, targets.valid, model.reduction)
