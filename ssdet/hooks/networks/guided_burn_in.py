"""Guided burn-in: a fresh student learns from a teacher that does not move."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from ...exits import UsageError
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.foreign_parts import read_weights
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from ..step_hook import StepHook, optimizers_of


@HOOKS.register_module()
class GuidedBurnInHook(StepHook):
    """A new student learns from labels and from a frozen teacher, and then replaces it.

    Guided distillation (Berrada et al., WACV 2024): the teacher has learned from the labels alone.
    A student with other weights learns for `length` iterations from the labels and from what this
    teacher says of the unlabeled images. Then the teacher becomes a copy of the student, and from
    there on its average (`TeacherEMAHook`, which moves nothing before). The student is not bound
    to the errors of the teacher, and may overtake it.

    * With a `checkpoint` the teacher is read from it, and the model has no burn-in (`burn_in=0`).
    * Without one, the model's `burn_in` on labeled images makes the teacher in the same run. The
      student then starts anew from its first weights, and the optimizer forgets what it gathered
      for it. The schedule of the rate goes on.

    Args:
        length: Iterations with the frozen teacher.
        checkpoint: Weights of the teacher: of a plain model, or of a run, of which it takes the
            teacher. They fit the student's config.

    Examples:
        >>> from ssdet.testing import detector
        >>> model, hook = detector(burn_in=100), GuidedBurnInHook(length=50)
        >>> model.attach(hook)
        >>> hook.end  # the iteration in which the student becomes the teacher
        150
    """

    phase = Phase.LABEL
    needs_twin = True

    def __init__(self, length: int, *, checkpoint: str | None = None) -> None:
        check_range(type(self).__name__, "length", length, 1, float("inf"))
        self.length, self.checkpoint = int(length), checkpoint
        # The student's first weights, until it has started anew from them.
        self.first: dict[str, Tensor] = {}
        self._optimizers: list[torch.optim.Optimizer] = []

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse settings with no teacher, or with two."""
        super().on_attach(model)
        name, copied = type(self).__name__, model.burn_in > 0 and model.copy_after_burn_in
        if self.checkpoint is None and not copied:
            raise UsageError(
                f"{name}: no teacher to be guided by: found burn_in={model.burn_in}, "
                f"copy_after_burn_in={model.copy_after_burn_in} and no checkpoint. Give a "
                "checkpoint, or a burn_in of the model, which trains the teacher"
            )
        if self.checkpoint is not None and model.burn_in > 0:
            raise UsageError(
                f"{name}: the teacher of {self.checkpoint} labels from the first iteration on, but "
                f"the model has burn_in={model.burn_in}. Set burn_in=0, or leave out the checkpoint"
            )

    @property
    def end(self) -> int:
        """The iteration at the start of which the teacher becomes a copy of the student."""
        return self.attached_model.burn_in + self.length

    def before_train(self, runner: Any) -> None:
        """Know the optimizers, which have gathered moments for the student."""
        super().before_train(runner)
        for optimizer in optimizers_of(runner):
            self.watch(optimizer)

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Make this optimizer forget the first student (a runner's is known)."""
        self._optimizers.append(optimizer)

    def before_teacher(self, step: Step) -> None:
        """Read the teacher, start the student anew, or make the teacher a copy of it."""
        model, start = step.model, step.model.burn_in
        if step.iteration == 0:
            self._begin(model)
        if step.iteration == start > 0:
            self._renew(model)
        if step.iteration == self.end:
            model.copy_student()
            self._say("the guided burn-in ends: the teacher is now the student's average")
        model.teacher_rests = start <= step.iteration < self.end
        step.log["guided/teacher_rests"] = float(model.teacher_rests)

    def state_dict(self) -> dict[str, Any]:
        """The student's first weights, until it has started anew."""
        renewed = self.attached_model.iteration > self.attached_model.burn_in
        return {} if renewed or not self.first else {"first": self.first}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.first = dict(state["first"])

    def _begin(self, model: TeacherStudent) -> None:
        if self.checkpoint is None:
            weights = model.student.state_dict()
            self.first = {key: value.detach().cpu().clone() for key, value in weights.items()}
            return
        weights, _, _ = read_weights(self.checkpoint)
        try:
            model.teacher.load_state_dict(weights)
        except RuntimeError as error:
            raise UsageError(
                f"{type(self).__name__}: the weights in {self.checkpoint} do not fit the model, "
                f"which must be that of the student: {error}"
            ) from None

    def _renew(self, model: TeacherStudent) -> None:
        model.student.load_state_dict(self.first)
        for optimizer in self._optimizers:
            for parameter in model.student.parameters():
                optimizer.state.pop(parameter, None)
        self._say(f"a new student learns from the frozen teacher for {self.length} iterations")

    def _say(self, text: str) -> None:
        print_log(f"{type(self).__name__}: {text}", logger="current")
