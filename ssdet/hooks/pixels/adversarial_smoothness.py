"""SS-Net: the prediction is smooth in the direction in which it changes the most."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...losses.consistency import soft_dice
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import Ramp, ramp
from ...teacher_student.step import Step, Views
from ...validation import check_choice, check_range
from .._parts.model_kind import logits_only
from .._parts.student_views import passed_views, passes_together, valid_pixels
from ..step_hook import StepHook


@HOOKS.register_module()
class AdversarialSmoothnessHook(StepHook):
    """Labeled and unlabeled images keep their prediction under the worst small noise.

    Virtual adversarial training (Miyato et al. 2018) as in SS-Net (Wu et al., MICCAI 2022). Random
    noise is added to the image; the gradient of the Dice distance that it makes is the direction
    of the worst noise, and `unsup_loss_smooth` the distance that this makes. There are no pseudo
    labels: set `unsup_weight=0.0` of the model. Training costs two more passes of the student,
    which change no statistics.

    Args:
        weight: Factor on the loss.
        ramp_length: Iterations after the burn-in over which the factor rises.
        ramp_kind: "sigmoid", exp(-5 (1 - t/length)^2), or "linear".
        probe: Root mean square of the noise that finds the direction, in units of the normalized
            image. SS-Net: 10 / 256, a length of 10 for 256 x 256 pixels.
        strength: The same of the noise that the student has to bear. SS-Net: 6 / 256.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), AdversarialSmoothnessHook())
        >>> bool(step.losses["unsup_loss_smooth"] > 0)
        True
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs"})
    learns_without_labels = True

    def __init__(
        self,
        weight: float = 0.1,
        *,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
        probe: float = 10 / 256,
        strength: float = 6 / 256,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(weight=weight, ramp_length=ramp_length).items():
            check_range(name, key, value, 0, float("inf"))
        for key, value in dict(probe=probe, strength=strength).items():
            check_range(name, key, value, 1e-6, 10)
        check_choice(name, "ramp_kind", ramp_kind, Ramp)
        self.weight, self.ramp_length, self.ramp_kind = weight, ramp_length, ramp_kind
        self.probe, self.strength = probe, strength

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse heads that have no logits of pixels."""
        super().on_attach(logits_only(self, model, "compares pixels"))

    def after_loss(self, step: Step) -> None:
        """Find the noise and add the loss."""
        since = step.iteration - step.model.burn_in
        names = passed_views(step)
        if since < 0 or not names:
            return
        factor = self.weight * ramp(since, self.ramp_length, self.ramp_kind)
        groups = list(passes_together(step, names))
        with still_statistics(step.model.student):
            losses = [self._loss(step, group) for group in groups]
        step.losses["unsup_loss_smooth"] = factor * torch.stack(losses).mean()

    def _loss(self, step: Step, names: list[str]) -> Tensor:
        """The distance under noise, of views that share a pass."""
        model: Any = step.model
        inputs = torch.cat([step.branches[name].inputs for name in names])
        samples = [sample for name in names for sample in step.branches[name].samples]
        outputs = torch.cat([step.outputs[name] for name in names]).detach()
        target = model.probabilities(outputs)
        size, small = inputs.shape[-2:], outputs.shape[-2:]
        valid = torch.cat([valid_pixels(step, name, small) for name in names])
        shown = torch.cat([valid_pixels(step, name, size) for name in names])[:, None]

        def distance(noise: Tensor) -> Tensor:
            changed = inputs + noise.to(inputs.dtype)
            found = model.forward_outputs(Views(changed, samples))
            return soft_dice(model.probabilities(found), target, valid)

        generator = step.generator(f"{type(self).__name__}.{names[0]}", device=inputs.device)
        drawn = torch.rand(inputs.shape, generator=generator, device=inputs.device) - 0.5
        noise = scaled(drawn * shown, self.probe).requires_grad_()
        (gradient,) = torch.autograd.grad(distance(noise), noise)
        return distance(scaled(gradient * shown, self.strength))


def scaled(noise: Tensor, strength: float) -> Tensor:
    """Noise (B, C, H, W) with this root mean square in each image; 0 stays 0."""
    length = strength * math.sqrt(noise[0].numel())
    flat = noise.float().flatten(1)
    # By the largest value first: squares of tiny gradients would vanish.
    flat = flat / flat.abs().amax(1, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
    return (nn.functional.normalize(flat, dim=1) * length).view(noise.shape).detach()


@contextmanager
def still_statistics(network: nn.Module) -> Iterator[None]:
    """Within the context, batch norms use the statistics of the batch and remember none."""
    norms: list[Any] = [m for m in network.modules() if getattr(m, "track_running_stats", False)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
