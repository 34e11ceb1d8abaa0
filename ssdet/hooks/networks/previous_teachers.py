"""PrevMatch: students of earlier iterations label, too."""

from __future__ import annotations

import logging
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.func import functional_call

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import last_decode_head
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_choice, check_range
from .._parts.model_kind import logits_only
from .._parts.second_labels import add_labels, second_loss
from ..step_hook import StepHook

Weight = Literal["triangle", "constant"]
Device = Literal["model", "cpu"]


@HOOKS.register_module()
class PreviousTeachersHook(StepHook):
    """A second set of labels, by a random ensemble of students of earlier iterations.

    PrevMatch (Shin et al., 2024). Every `interval` iterations the student's weights are kept, the
    latest `size` of them. In each step 1 to `ensemble` of these are drawn, their logits of the
    weak view are averaged with random weights (even over all mixtures), and what reaches `score`
    labels the student's logits once more (`unsup_loss_previous`); no further pass of the student is
    taken. With the factor lambda on that loss all losses are divided so that their weights keep
    their sum: (L_x + L_u + lambda L_previous) / (2 + lambda) where both other ones have 1/2.

    A kept student takes as much memory as half-precision weights of the model, here and in every
    checkpoint: 8 of a DeepLabV3+ with a ResNet-101 about 1 GB.

    Args:
        interval: Iterations between two kept students. (The authors keep one after each validation
            that is the best so far, which lets validation labels steer the training.)
        size: How many are kept; the oldest leaves first.
        ensemble: Most students that label in a step.
        score: Probability from which their pixels are trained on, in [0, 1].
        weight: lambda: "triangle" rises to 1 at the middle of the training and falls to 0 again;
            "constant" is 1.
        length: Iterations of the training after the burn-in, for the triangle.
        device: Where they are kept: with the "model", or in main memory ("cpu"), which is slower.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> hook = PreviousTeachersHook(interval=1, score=0.0, weight="constant")
        >>> "unsup_loss_previous" in take_step(segmentor(), hook).losses
        True
        >>> len(hook.members)  # the student as it was before the step
        1
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs"})
    needs_twin = True

    def __init__(
        self,
        interval: int,
        *,
        size: int = 8,
        ensemble: int = 3,
        score: float = 0.9,
        weight: Weight = "triangle",
        length: int = 0,
        device: Device = "model",
    ) -> None:
        name = type(self).__name__
        for key, number in dict(interval=interval, size=size, ensemble=ensemble).items():
            check_range(name, key, number, 1, float("inf"))
        check_range(name, "score", score)
        check_choice(name, "weight", weight, Weight)
        check_choice(name, "device", device, Device)
        if weight == "triangle":
            check_range(name, "length", length, 2, float("inf"))
        self.interval, self.size, self.ensemble = int(interval), int(size), int(ensemble)
        self.score, self.weight, self.length, self.device = score, weight, length, device
        self.members: list[dict[str, Tensor]] = []
        self._channel: int | None = None  # of the labels in `extra_labels`

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without logits of pixels."""
        super().on_attach(logits_only(self, model, "averages logits of pixels"))

    def before_teacher(self, step: Step) -> None:
        """Keep the student, before it learns in this step."""
        self._channel = None
        since = step.iteration - step.model.burn_in
        if since < 0 or since % self.interval:
            return
        state = _halved(step.model.student)
        if not all(value.isfinite().all() for value in state.values()):
            print_log(f"{type(self).__name__}: the student has values that are not finite and is "
                      "not kept", "current", logging.WARNING)  # fmt: skip
            return
        place = "cpu" if self.device == "cpu" else next(step.model.student.parameters()).device
        kept = {name: value.to(place) for name, value in state.items()}
        self.members = [*self.members, kept][-self.size :]

    def after_teacher(self, step: Step) -> None:
        """Let some of the kept students label the weak views."""
        if not self.members:
            return
        model: Any = step.model
        pseudo = step.pseudo_pixels
        size = pseudo.labels.shape[-2:]
        corners = last_decode_head(model.student).align_corners
        large = F.interpolate(self._logits(step), size, mode="bilinear", align_corners=corners)
        scores, labels = model.probabilities(large).max(1)
        known = (scores >= self.score) & pseudo.valid
        self._channel = add_labels(pseudo, labels.where(known, IGNORE))
        step.count("previous/kept", known.sum() / pseudo.valid.sum().clamp(min=1))
        step.count("previous/members", len(self.members))

    def after_loss(self, step: Step) -> None:
        """Add the loss of these labels, and divide all losses."""
        if self._channel is None:
            return
        factor = self._factor(step)
        parts = [
            step.shares[name] * second_loss(step, name, self._channel)
            for name in step.targets
            if name in step.outputs
        ]
        loss: Any = sum(parts) if parts else step.model.zero_loss()
        step.losses["unsup_loss_previous"] = loss * factor * step.unsup_weight
        step.log["previous/weight"] = factor
        shrink = 2 / (2 + factor)
        for name, value in step.losses.items():
            if "loss" in name:
                many = not isinstance(value, Tensor)
                step.losses[name] = [v * shrink for v in value] if many else value * shrink

    def _logits(self, step: Step) -> Tensor:
        """The mean of the logits of some members, with random weights; the same on all ranks."""
        model, views = step.model, step.weak_views
        generator = step.generator(type(self).__name__, all_ranks_alike=True)
        number = int(torch.randint(1, self.ensemble + 1, (), generator=generator))
        chosen = torch.randperm(len(self.members), generator=generator)[:number].tolist()
        # Shares of exponential draws are Dirichlet(1, ..., 1).
        drawn = -torch.rand(len(chosen), generator=generator).clamp(min=1e-9).log()
        shares = (drawn / drawn.sum()).tolist()
        total: Any = 0.0
        for member, share in zip(chosen, shares, strict=True):
            state = _restored(self.members[member], model.teacher)
            given = (views.inputs, views.samples)
            found: Any = functional_call(model.teacher, state, given, {"mode": "tensor"})
            total = total + share * found.float()
        return total

    def _factor(self, step: Step) -> float:
        """lambda: 0 at both ends of the training and 1 in its middle."""
        if self.weight == "constant":
            return 1.0
        half = self.length / 2
        since = step.iteration - step.model.burn_in
        return max(0.0, 1.0 - abs(since - half) / half)

    def state_dict(self) -> dict[str, Any]:
        """The kept students."""
        cpu = [{name: v.cpu() for name, v in member.items()} for member in self.members]
        return {"members": cpu} if cpu else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; one that does not fit the model is an error when it labels."""
        model = self.attached_model
        place = "cpu" if self.device == "cpu" else next(model.student.parameters()).device
        members = state.get("members", [])
        self.members = [{name: v.to(place) for name, v in one.items()} for one in members]


def _halved(network: nn.Module) -> dict[str, Tensor]:
    """A copy of a network's state: parameters in half precision, buffers as they are."""
    halves = {name: value.detach().half() for name, value in network.named_parameters()}
    rest = {name: value.detach().clone() for name, value in network.named_buffers()}
    return {**rest, **halves}


def _restored(member: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state in the precision and place of a network."""
    own = {**dict(network.named_buffers()), **dict(network.named_parameters())}
    return {name: value.to(own[name].device, own[name].dtype) for name, value in member.items()}
