"""MC-Net+: decoders that differ a little teach each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...losses.consistency import mutual_consistency
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent, weighted
from ...teacher_student.heads import last_decode_head
from ...teacher_student.joint import cat_of, part_of, rows_of
from ...teacher_student.phase import LAYER, Phase
from ...teacher_student.schedules import Ramp, ramp
from ...teacher_student.step import Step
from ...validation import check_choice, check_range
from .._parts.layers import check_layer
from .._parts.model_kind import segmentor_only
from .._parts.student_views import passed_views, passes_together, valid_pixels
from ..step_hook import StepHook


@HOOKS.register_module()
class MutualDecodersHook(StepHook):
    """Further decode heads on the features of the student, all of which are to agree.

    MC-Net+ (Wu et al., MedIA 2022). Where heads that differ only in their upsampling disagree, an
    image is hard. Each of them learns the labels (`sup_second_...`), and follows the sharpened
    probabilities of every other one on labeled and unlabeled images: `unsup_loss_mutual`, the
    sum over all ordered pairs of the mean squared difference. There are no pseudo labels: set
    `unsup_weight=0.0` of the model. Only the student's own head is evaluated.

    Args:
        heads: Names of the decode heads in the model's `auxiliary`.
        layers: The layers of the student whose outputs they read, as `backbone.encoder.0`; none:
            they read what the student's own head does.
        weight: Factor on the consistency.
        ramp_length: Iterations after the burn-in over which the factor rises.
        ramp_kind: "sigmoid", exp(-5 (1 - t/length)^2), or "linear".
        temperature: Of the sharpening.
        detach: The sharpened probabilities are targets without gradient (official code: with it).

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> head = dict(type="FCNHead", in_channels=32, in_index=1, channels=8, num_convs=1,
        ...             concat_input=False, num_classes=4)
        >>> model = segmentor(auxiliary=dict(second=head), unsup_weight=0.0)
        >>> step = take_step(model, MutualDecodersHook(heads=["second"]))
        >>> bool(step.losses["unsup_loss_mutual"] > 0)
        True
    """

    phase = Phase.LOSS
    learns_without_labels = True

    def __init__(
        self,
        heads: Sequence[str] = ("second", "third"),
        *,
        layers: Sequence[str] = (),
        weight: float = 0.1,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
        temperature: float = 0.1,
        detach: bool = True,
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "ramp_length", ramp_length, 0, float("inf"))
        check_choice(name, "ramp_kind", ramp_kind, Ramp)
        check_range(name, "temperature", temperature, 0.01, 1)
        if isinstance(heads, str) or not heads:
            raise ValueError(f"{name}: heads={heads!r} is not a list of names of decode heads")
        self.heads, self.layers = tuple(heads), tuple(layers)
        self.weight, self.temperature, self.detach = weight, temperature, detach
        self.ramp_length, self.ramp_kind = ramp_length, ramp_kind
        read = {LAYER + layer for layer in layers} or {"features"}
        self.needs = frozenset({"student_outputs", *read})

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or lacks a head or a layer."""
        name = type(self).__name__
        model = segmentor_only(self, model, "compares decode heads")
        own: Any = last_decode_head(model.student)
        for head in self.heads:
            found = dict(model.auxiliary.items()).get(head)
            if getattr(found, "num_classes", None) != own.num_classes:
                there = sorted(model.auxiliary) or "none"
                raise ValueError(
                    f"{name}: heads: {head!r} must be a decode head of {own.num_classes} classes "
                    f"in the model's auxiliary (there: {there}). Set auxiliary=dict("
                    f"{head}=<config of a decode head>)."
                )
        for layer in self.layers:
            check_layer(self, model.student, layer)
        super().on_attach(model)

    def after_loss(self, step: Step) -> None:
        """Add the losses of the further heads, and the consistency of all."""
        model: Any = step.model
        names = passed_views(step)
        logits = {name: [step.outputs[name]] for name in names}
        for key in self.heads:
            head: Any = model.auxiliary[key]
            for together in passes_together(step, names):
                found = head(cat_of([self._read(step, name) for name in together]))
                rows = rows_of([step.branches[name] for name in together])
                for name, row in zip(together, rows, strict=True):
                    logits[name].append(part_of(found, row))
            if step.sup is not None and "sup" in logits:
                losses = head.loss_by_feat(logits["sup"][-1], step.sup.samples)
                step.losses.update(weighted(losses, f"sup_{key}_", model.sup_weight))
            if not names:
                step.losses[f"sup_{key}_loss"] = model.zero_loss(head)
        since = step.iteration - model.burn_in
        factor = self.weight * ramp(since, self.ramp_length, self.ramp_kind)
        if since >= 0 and names:
            step.losses["unsup_loss_mutual"] = factor * self._consistency(step, logits)

    def _read(self, step: Step, name: str) -> Any:
        """What the heads get of a view."""
        if not self.layers:
            return step.features[name]
        return [step.layers[name][LAYER + layer] for layer in self.layers]

    def _consistency(self, step: Step, logits: dict[str, list[Tensor]]) -> Tensor:
        """Over all views: the mean over their pixels."""
        model: Any = step.model
        losses, counts = [], []
        for name, found in logits.items():
            size = found[0].shape[-2:]
            probabilities = [model.probabilities(_resized(one, size)) for one in found]
            valid = valid_pixels(step, name, size)
            losses.append(
                mutual_consistency(probabilities, valid, self.temperature, detach=self.detach)
            )
            counts.append(valid.sum())
        shares = torch.stack(counts) / torch.stack(counts).sum().clamp(min=1)
        return (torch.stack(losses) * shares).sum()


def _resized(logits: Tensor, size: torch.Size) -> Tensor:
    if logits.shape[-2:] == size:
        return logits
    return F.interpolate(logits, size, mode="bilinear", align_corners=False)
