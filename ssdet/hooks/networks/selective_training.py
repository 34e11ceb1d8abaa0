"""Selective training: in some iterations only a part of the student learns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import Step
from ..step_hook import StepHook, optimizers_of


@HOOKS.register_module()
class SelectiveTrainingHook(StepHook):
    """Up to an iteration, only parameters of some names learn.

    FedSTO (Kim et al., NeurIPS 2023): first the backbone learns alone, so that noisy pseudo labels
    do not spoil neck and head; then everything does. Parameters that rest keep their values
    exactly: no momentum and no weight decay moves them, and their gradients are no part of a norm
    that is clipped. Layers all of whose parameters rest use their running statistics.

    Args:
        phases: (end, names): up to this iteration, what matches the regular expression at the start
            of its name learns. Ends rise; after the last one everything learns.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), SelectiveTrainingHook([(1000, "backbone")]))
        >>> step.log["selective/learning"] < 1  # a share of the parameters
        True
    """

    phase = Phase.LOSS

    def __init__(self, phases: Sequence[tuple[int, str]]) -> None:
        self.phases = [(int(end), names) for end, names in phases]
        ends = [end for end, _ in self.phases]
        if not ends or ends != sorted(set(ends)) or ends[0] < 1:
            raise ValueError(
                f"{type(self).__name__}: phases={list(phases)!r}: give (end, names) with rising "
                "ends from 1 on, such as [(1000, 'backbone')]"
            )

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse expressions that no parameter has."""
        super().on_attach(model)
        for _, names in self.phases:
            if not any(re.match(names, own) for own, _ in model.student.named_parameters()):
                parts = sorted({own.partition(".")[0] for own, _ in model.student.named_children()})
                raise ValueError(
                    f"{type(self).__name__}: no parameter's name begins with {names!r}; the "
                    f"student has {parts}"
                )
        for own, parameter in self._parameters():
            if parameter.requires_grad:
                parameter.register_hook(partial(self._gradient, own))

    def before_train(self, runner: Any) -> None:
        """Keep the optimizers from moving what rests."""
        super().before_train(runner)
        for optimizer in optimizers_of(runner):
            self.watch(optimizer)

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Do so in a plain PyTorch loop; a runner's optimizer is watched."""
        optimizer.register_step_pre_hook(self._skip)

    def learning(self, iteration: int) -> str:
        """What learns in an iteration, as a regular expression."""
        return next((names for end, names in self.phases if iteration < end), "")

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Layers that rest normalize by their running statistics."""
        names = self.learning(step.iteration)
        with ExitStack() as stack:
            for own, module in step.model.student.named_modules():
                normalizes = isinstance(module, nn.modules.batchnorm._BatchNorm)
                if normalizes and not re.match(names, own):
                    stack.enter_context(eval_mode(module))
            yield

    def after_loss(self, step: Step) -> None:
        """Log how much learns."""
        names = self.learning(step.iteration)
        sizes = [(p.numel(), bool(re.match(names, own))) for own, p in self._parameters()]
        step.log["selective/learning"] = sum(n for n, own in sizes if own) / sum(
            n for n, _ in sizes
        )

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return list(self.attached_model.student.named_parameters())

    def _rests(self, own: str) -> bool:
        # The step has counted the iteration already.
        return not re.match(self.learning(self.attached_model.iteration - 1), own)

    def _gradient(self, own: str, gradient: Tensor) -> Tensor | None:
        return torch.zeros_like(gradient) if self._rests(own) else None

    def _skip(self, *_: Any) -> None:
        # Without a gradient an optimizer leaves a parameter alone; with zeros it would decay it.
        for own, parameter in self._parameters():
            if self._rests(own):
                parameter.grad = None
