"""A step for which there is no memory, taken in two parts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from ..exits import UsageError
from ..registry import HOOKS
from ..teacher_student.core import TeacherStudent
from ..teacher_student.hook_points import overrides
from ..validation import check_choice
from . import rng
from .failures import is_out_of_memory
from .running_statistics import RunningStatistics

Action = Literal["stop", "retry"]


@HOOKS.register_module()
class OutOfMemoryHook(Hook):
    """What happens when the memory does not suffice for a step.

    "retry" undoes the step and takes it once more in parts: the labeled images, backward, then each
    strong view, backward. Only the graph of one part is in memory at a time. The student's passes
    are the same passes in the same order, so batch norm sees the same batches, the random draws are
    the same, and the gradient is that of the whole step (but for the order of a sum, where there
    are more than two parts). It helps where labeled and strong passes fit one by one; where a
    single pass does not, the run ends with a message.

    It costs a copy of the batch and of the states of all hooks in each step. What would not be
    exact is refused: `joint_pass`, accumulated gradients, several processes, hooks that combine
    the losses of several views (`after_loss`) or keep labels on disk, models without a teacher.

    Args:
        oom: "stop": end the run with a message that names the settings that help; or "retry".
    """

    def __init__(self, oom: Action = "stop") -> None:
        check_choice(type(self).__name__, "oom", oom, Action)
        self.oom = oom
        self.retried = 0

    def before_train(self, runner: Any) -> None:
        """Put the second attempt around the training step."""
        if self.oom == "retry":
            model = self._suitable(runner)
            self._statistics = RunningStatistics(model)
            self._logger = runner.logger
            model.train_step = partial(self._train_step, model, model.train_step)

    def _suitable(self, runner: Any) -> TeacherStudent:
        model: Any = runner.model
        accumulated = getattr(runner.optim_wrapper, "_accumulative_counts", 1)
        hooks = getattr(model, "hooks", [])
        causes = {
            "several processes: each would have to take part": is_model_wrapper(model),
            "a model without a teacher: its losses divide by counts of the whole batch": (
                not isinstance(model, TeacherStudent)
            ),
            "joint_pass=True: one pass has all images": getattr(model, "joint_pass", False),
            "accumulative_counts above 1: gradients of earlier steps would be lost": (
                accumulated != 1
            ),
        }
        for hook in hooks:
            name = type(hook).__name__
            causes[f"{name}, which combines losses of several views"] = overrides(
                hook, "after_loss"
            )
            causes[f"{name}, which keeps labels on disk"] = not hook.reversible
        found = [text for text, is_so in causes.items() if is_so]
        if found:
            raise UsageError(
                f"OutOfMemoryHook: oom='retry' does not go with {'; nor with '.join(found)}. Set "
                f"oom='stop', and choose a batch that fits"
            )
        return model

    def _train_step(
        self, model: TeacherStudent, step: Callable[..., Any], data: Any, optim_wrapper: Any
    ) -> Any:
        from ..hooks._parts.snapshot import HookStates

        batch, iteration = copy.deepcopy(data), model.iteration
        hooks, random = HookStates(model, watching=True), rng.capture()
        self._statistics.keep()
        error = None
        try:
            return step(data, optim_wrapper)
        except Exception as caught:
            if not is_out_of_memory(caught):
                raise
            error = f"{caught}".splitlines()[0] if f"{caught}" else type(caught).__name__
        # Only here are the frames gone that hold the tensors of the attempt.
        optim_wrapper.zero_grad()
        hooks.restore()
        rng.restore(random)
        self._statistics.restore()
        model._set_iteration(iteration)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.retried += 1
        self._logger.warning(
            f"iteration {iteration + 1}: no memory left in the pass of the {model.passing} "
            f"({error}); the step is taken in parts ({self.retried} so far)"
        )
        model.release = partial(_backward, model, optim_wrapper)
        try:
            return step(batch, optim_wrapper)
        finally:
            model.release = None


def _backward(model: TeacherStudent, optim_wrapper: Any, losses: dict[str, Any]) -> dict[str, Any]:
    """Take the gradient of the losses so far and free their graph; they keep their values."""
    total, _ = model.parse_losses(losses)
    if total.requires_grad:
        scaled = optim_wrapper.scale_loss(total)
        scaler = getattr(optim_wrapper, "loss_scaler", None)
        (scaler.scale(scaled) if scaler is not None else scaled).backward()
    return {name: _detached(value) for name, value in losses.items()}


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, torch.Tensor) else [_detached(v) for v in value]
