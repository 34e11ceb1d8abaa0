"""The base of the hooks that train several networks together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...labels import IGNORE
from ...teacher_student.core import STRONG, TeacherStudent, weighted
from ...teacher_student.heads import last_decode_head
from ...teacher_student.pixel_weights import matches_masks
from ...teacher_student.recording import eval_mode, recorded_layers
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step, Views
from ..networks.teacher_ema import TeacherEMAHook
from ..step_hook import StepHook, optimizers_of
from .model_kind import segmentor_only

STUDENT = "student"


class NetworkHook(StepHook):
    """Base of the hooks that train auxiliary networks together with the student.

    A network is known by its name: "student", or its key in `auxiliary` of the model. Each one
    takes part in the loss of every step, if only with 0, so that no process waits for another. The
    weights of those in `model.frozen` do not change, not even by momentum and weight decay.

    Attributes:
        names: The auxiliary networks, which the model must have.
    """

    names: Sequence[str] = ()
    pixels_only = True

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model of another task, or without the networks."""
        if self.pixels_only:
            segmentor_only(self, model, "compares the labels of pixels")
        kind = type(model.student)
        for name in self.names:
            found = dict(model.auxiliary.items()).get(name)
            task = "decode_head" if isinstance(model, TeacherStudentSegmentor) else "loss"
            if found is None or not hasattr(found, task):
                raise ValueError(
                    f"{type(self).__name__}: there is no network {name!r}; the model's "
                    f"auxiliary has {sorted(model.auxiliary)}. Give it one: auxiliary=dict({name}="
                    f"<config of a {kind.__name__}>)"
                )
            self._check_alike(model, name, found)
        super().on_attach(model)

    def before_train(self, runner: Any) -> None:
        """Keep the optimizers from updating frozen networks."""
        super().before_train(runner)
        for optimizer in optimizers_of(runner):
            self.watch(optimizer)

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Do so in a plain PyTorch loop; a runner's optimizer is watched."""
        optimizer.register_step_pre_hook(self._skip_frozen)

    def network(self, name: str) -> nn.Module:
        """The student or an auxiliary network."""
        return (
            self.attached_model.student if name == STUDENT else self.attached_model.auxiliary[name]
        )

    def label(self, step: Step, name: str) -> Any:
        """Labels of the weak views by a network's teacher, or by itself where it has none."""
        pair = self.attached_model.pairs.get(name)
        network = self.network(name) if pair is None else pair[1]
        with eval_mode(network):
            return self.attached_model.label(step.weak_views, network)

    def supervise(self, step: Step, name: str, views: Views | None = None) -> None:
        """Losses of an auxiliary network on the labeled images (or on `views` of them)."""
        network, views = self.network(name), views or step.sup
        if views is None:
            step.losses[f"sup_{name}_loss"] = self.attached_model.zero_loss(network)
            return
        losses = network(views.inputs, views.samples, mode="loss")
        step.losses.update(weighted(losses, f"sup_{name}_", self.attached_model.sup_weight))

    def teach(self, step: Step, name: str, view: str, targets: Any, views: Any = None) -> None:
        """Losses of an auxiliary network on a strong view (or on `views` made of it)."""
        model = self.attached_model
        losses = model.student_losses(views or step.strong[view], targets, self.network(name))
        weight = 0.0 if model.targets_empty(targets) else step.unsup_weight * step.shares[view]
        step.losses.update(weighted(losses, f"{prefix_of(view)}{name}_", weight))

    def outputs_of(self, name: str, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """The outputs of these layers of a network, without gradient, batch statistics frozen."""
        network = self.network(name)
        with torch.no_grad(), eval_mode(network), recorded_layers(network, layers) as outputs:
            network(inputs, mode="tensor")
        return outputs

    def _check_alike(self, model: TeacherStudent, name: str, found: nn.Module) -> None:
        """Raise a ValueError unless a network's outputs can be the targets of the student."""
        if not isinstance(model, TeacherStudentSegmentor):
            return
        (own, ours), (other, theirs) = (_output_of(one) for one in (model.student, found))
        if ours != theirs:
            raise ValueError(
                f"{type(self).__name__}: the student's {own} gives {_describe(*ours)}, that of the "
                f"network {name!r} ({other}) {_describe(*theirs)}; the two learn from each other "
                "and need outputs of one form. Set num_classes (and out_channels) of both to the "
                "same, and take heads of one kind"
            )

    def _skip_frozen(self, *_: Any) -> None:
        # Without a gradient an optimizer leaves a parameter alone; with zeros it would decay it.
        for name in self.attached_model.frozen:
            for parameter in self.network(name).parameters():
                parameter.grad = None


def require_average(hook: NetworkHook) -> None:
    """Without an average the teacher would never change."""
    if not any(isinstance(other, TeacherEMAHook) for other in hook.attached_model.hooks):
        raise ValueError(
            f"{type(hook).__name__}: the teacher labels in place of the student and must follow "
            "it: add dict(type='TeacherEMAHook', momentum=0.0) to custom_hooks"
        )


def _output_of(segmentor: nn.Module) -> tuple[str, tuple[int, bool]]:
    """The kind of its head; how many maps this gives, and whether they are masks of queries."""
    head = last_decode_head(segmentor)
    number = getattr(head, "out_channels", None) or head.num_classes
    return type(head).__name__, (int(number), matches_masks(head))


def _describe(number: int, masks: bool) -> str:
    return f"{number} maps " + ("of matched masks" if masks else "of logits")


def prefix_of(view: str) -> str:
    """unsup_student -> unsup_, unsup_student_2 -> unsup_2_"""
    return view.replace(STRONG, "unsup") + "_"


def targets_of(pixels: PixelLabels, number: int) -> PixelLabels:
    """Targets of an auxiliary network: `extra_labels[:, number]`, with weight 1 where known."""
    if pixels.extra_labels is None:
        raise ValueError("these pixel labels hold nothing for auxiliary networks")
    labels = pixels.extra_labels[:, number]
    known = ((labels != IGNORE) & pixels.valid).float()
    return PixelLabels(labels, known, known.clone(), pixels.valid)
