"""Learning from the future: a teacher averaged with future students."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from mmengine.logging import MessageHub

from ...registry import HOOKS
from ...teacher_student.average import move
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_choice, check_range
from .._parts.snapshot import Extent, Snapshot, learning
from ..step_hook import StepHook
from .teacher_ema import TeacherEMAHook

Kind = Literal["deep", "wide"]
Batch = dict[str, Any]


@HOOKS.register_module()
class FutureTeacherHook(StepHook):
    """Virtual steps of the student before each real one (FST, NeurIPS 2022).

    The teacher is averaged with students of the future, then the student is restored
    and takes its real step with the labels of this teacher. Only the teacher keeps an effect of
    the virtual steps; the momentum is that of `TeacherEMAHook`, which must be listed; its number
    of updates counts real steps. A step costs steps + 1 passes; nothing happens during the burn-in.

    * `deep`: `steps` steps after each other on the batch of the real step, the teacher averaged
      before each of them and after the last one.
    * `wide`: `steps` steps, each from the same student on a batch of its own; the teacher is
      averaged once, with the mean of the resulting weights. The loader brings the batches of all
      steps as one: with `batch=(4 * (steps + 1), ...)` the first 4 are those of the real step.

    Args:
        steps: Virtual steps for a real one; 0 is the plain mean teacher.
        kind: "deep" or "wide".
        restore: What the student gets back: "all" (parameters, buffers, optimizer, loss scaler,
            counts), or "parameters" as in the published code. There the momentum of the optimizer
            and the batch statistics keep the changes of the virtual steps.

    Examples:
        >>> FutureTeacherHook(steps=3, kind="deep").steps  # four passes for one step
        3
        >>> FutureTeacherHook(kind="far")
        Traceback (most recent call last):
        ValueError: FutureTeacherHook: kind='far' is not one of ['deep', 'wide']
    """

    phase = Phase.OBSERVE
    needs_twin = True
    priority = "LOWEST"  # the other hooks have prepared the iteration

    def __init__(self, steps: int = 3, kind: Kind = "deep", *, restore: Extent = "all") -> None:
        name = type(self).__name__
        check_range(name, "steps", steps, 0, float("inf"))
        check_choice(name, "kind", kind, Kind)
        check_choice(name, "restore", restore, Extent)
        self.steps, self.kind, self.restore = int(steps), kind, restore
        self._future: float | None = None

    def before_train(self, runner: Any) -> None:
        """Refuse settings with which virtual steps are not possible."""
        super().before_train(runner)
        wrapper = runner.optim_wrapper
        name = type(self).__name__
        if hasattr(wrapper, "values"):
            raise ValueError(f"{name}: works with one optimizer, not with {len(wrapper)}")
        if wrapper._accumulative_counts > 1:
            raise ValueError(
                f"{name}: optim_wrapper.accumulative_counts={wrapper._accumulative_counts}: a "
                "virtual step would use the gradients that were gathered for a real one. Use "
                "accumulative_counts=1 and a larger batch."
            )
        stay = [type(h).__name__ for h in self.attached_model.hooks if not h.reversible]
        if stay and self.steps:
            raise ValueError(
                f"{name}: the changes of {stay[0]} in a virtual step cannot be undone. Take one "
                "of the two out of custom_hooks."
            )
        self._average()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Take the virtual steps; the training loop then takes the real one."""
        super().before_train_iter(runner, batch_idx, data_batch)
        if self.model is None or self.steps == 0:
            return
        batches = [data_batch] * self.steps
        if self.kind == "wide":
            first, *batches = split_batch(data_batch, self.steps + 1)
            data_batch.update(first)
        start = self.model.burn_in
        # In the first step after the burn-in the teacher is only now made from the student.
        copied = self.model.copy_after_burn_in and start > 0
        if runner.iter < start + copied:
            return
        wrapper = runner.optim_wrapper
        self.look_ahead(partial(runner.model.train_step, optim_wrapper=wrapper), wrapper, batches)

    def look_ahead(
        self, train_step: Callable[[Batch], Any], wrapper: Any, batches: Sequence[Batch]
    ) -> None:
        """Take a virtual step on each batch, average the teacher, and restore the student.

        `train_step` takes a batch and updates the parameters through the wrapper. Call it before
        each real step of a plain PyTorch loop.
        """
        model = self.attached_model
        snapshot, average = Snapshot(model, wrapper, self.restore), self._average()
        hooks, hub = model.hooks, wrapper.message_hub
        model.hooks = [hook for hook in hooks if not hook.read_only]
        # Gradient norms of virtual steps are not those of the log.
        wrapper.message_hub = MessageHub.get_instance("future")
        outcome: Any = {}
        try:
            if self.kind == "wide":
                outcome = self._wide(train_step, batches, snapshot, average)
            else:
                outcome = self._deep(train_step, batches, snapshot, average)
        finally:
            model.hooks, wrapper.message_hub = hooks, hub
            snapshot.restore()
        self._future = float(outcome["loss"].detach()) if "loss" in outcome else None

    def after_loss(self, step: Step) -> None:
        """Log the loss of the last virtual step."""
        if self._future is not None:
            step.count("future/total", self._future)

    def _deep(
        self, train_step: Any, batches: Sequence[Batch], snapshot: Snapshot, average: TeacherEMAHook
    ) -> Any:
        outcome: Any = {}
        for batch in batches:
            _once(average)
            outcome = train_step(_fresh(batch))
            snapshot.model._set_iteration(snapshot.iteration)
        _once(average)
        return outcome

    def _wide(
        self, train_step: Any, batches: Sequence[Batch], snapshot: Snapshot, average: TeacherEMAHook
    ) -> Any:
        outcome: Any = {}
        mean = {n: t.detach().clone() for n, t in learning(snapshot.model)}
        for number, batch in enumerate(batches):
            snapshot.restore_weights()
            outcome = train_step(_fresh(batch))
            found = {n: t.detach() for n, t in learning(snapshot.model)}
            move(mean, found, number / (number + 1))
        with torch.no_grad():
            for name, tensor in learning(snapshot.model):
                tensor.copy_(mean[name])
        _once(average)
        return outcome

    def _average(self) -> TeacherEMAHook:
        found = [hook for hook in self.attached_model.hooks if isinstance(hook, TeacherEMAHook)]
        if len(found) != 1:
            raise ValueError(
                f"{type(self).__name__}: needs exactly one TeacherEMAHook, which averages the "
                f"teacher; custom_hooks has {len(found)}"
            )
        return found[0]


def split_batch(batch: Batch, parts: int) -> list[Batch]:
    """A batch cut into `parts` batches, each branch into equal parts, in order."""
    cut: list[Batch] = [{key: {} for key in batch} for _ in range(parts)]
    for key, value in batch.items():
        branches = value if isinstance(value, dict) else {"": value}
        for branch, members in branches.items():
            present = [member for member in members if member is not None]
            if len(present) % parts:
                raise ValueError(
                    f"FutureTeacherHook: {len(present)} samples of the branch {branch!r} cannot be "
                    f"shared by {parts} steps (steps + 1): make the sampler's batch a multiple"
                )
            size = len(present) // parts
            for number, part in enumerate(cut):
                part[key][branch] = present[number * size : (number + 1) * size]
        if not isinstance(value, dict):
            for part in cut:
                part[key] = part[key][""]
    return cut


def _once(average: TeacherEMAHook) -> None:
    """Average the teacher without counting it: all updates of an iteration have one momentum."""
    before = average.updates
    average.update()
    average.updates = before


def _fresh(batch: Batch) -> Batch:
    """A batch that a step may write into: preprocessors change data samples in place."""
    inputs = batch["inputs"]
    return {
        **batch,
        "inputs": dict(inputs) if isinstance(inputs, dict) else list(inputs),
        "data_samples": copy.deepcopy(batch["data_samples"]),
    }
