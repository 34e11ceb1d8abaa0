"""What a training step changes, saved so that the step can be undone."""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from ...engine import rng
from ...teacher_student.core import TeacherStudent

Extent = Literal["all", "parameters"]
# Counts that MMEngine keeps on a wrapper and its schedulers on an optimizer.
COUNTS = ("_inner_count", "_global_step", "_step_count", "_opt_called")


class Snapshot:
    """A model (but for its teachers), its optimizer, its hooks and the random state.

    Everything is put back in place, so that optimizers, DDP and `torch.compile` keep the
    tensors they hold.

    Args:
        model: The model.
        wrapper: MMEngine's optimizer wrapper.
        extent: "all", or "parameters": buffers, optimizer and loss scaler keep what the step did
            to them.
    """

    def __init__(self, model: TeacherStudent, wrapper: Any, extent: Extent = "all") -> None:
        self.model, self.wrapper, self.extent = model, wrapper, extent
        everything = extent == "all"
        self.tensors = {n: t.detach().clone() for n, t in learning(model, buffers=everything)}
        self.optimizer = _Copier()(dict(wrapper.optimizer.state)) if everything else None
        scaler = getattr(wrapper, "loss_scaler", None) if everything else None
        self.scaler = copy.deepcopy(scaler.state_dict()) if scaler is not None else None
        self.counts = [
            (owner, name, vars(owner)[name])
            for owner in (wrapper, wrapper.optimizer)
            for name in COUNTS
            if name in vars(owner)
        ]
        self.iteration = model.iteration
        self.hooks = HookStates(model)
        self.random = rng.capture()

    def restore(self) -> None:
        """Put everything back."""
        self.restore_weights()
        self.hooks.restore()
        rng.restore(self.random)

    @torch.no_grad()
    def restore_weights(self) -> None:
        """Put back the weights, the optimizer and the counts; hooks and random state are kept."""
        for name, tensor in learning(self.model, buffers=self.extent == "all"):
            tensor.copy_(self.tensors[name])
        if self.optimizer is not None:
            _restore_state(self.wrapper.optimizer.state, self.optimizer)
        if self.scaler is not None:
            self.wrapper.loss_scaler.load_state_dict(self.scaler)
        for owner, name, value in self.counts:
            setattr(owner, name, value)
        self.model._set_iteration(self.iteration)


def learning(model: TeacherStudent, *, buffers: bool = True) -> Iterator[tuple[str, Tensor]]:
    """The parameters (and buffers) of the student and the auxiliary networks, by name."""
    for part in ("student", "auxiliary"):
        module = getattr(model, part)
        yield from module.named_parameters(prefix=part)
        if buffers:
            yield from module.named_buffers(prefix=part)


def _restore_state(current: Any, saved: dict[Any, dict[str, Any]]) -> None:
    for parameter in list(current):
        if parameter not in saved:
            del current[parameter]
            continue
        state, before = current[parameter], saved[parameter]
        for key in list(state):
            if key not in before:
                del state[key]
        for key, value in before.items():
            if isinstance(value, Tensor) and isinstance(state.get(key), Tensor):
                state[key].copy_(value)
            else:
                state[key] = _Copier()(value)


class HookStates:
    """What the hooks of a model keep; those that only watch are left out, unless `watching`."""

    def __init__(self, model: TeacherStudent, *, watching: bool = False) -> None:
        copier = _Copier([*model.parameters(), *model.buffers()])
        acting = [hook for hook in model.hooks if watching or not hook.read_only]
        self.hooks = [(hook, copier(vars(hook))) for hook in acting]

    def restore(self) -> None:
        """Put everything back."""
        for hook, state in self.hooks:
            vars(hook).clear()
            vars(hook).update(state)


class _Copier:
    """Copies plain data in any depth; modules, hooks and other objects stay themselves.

    What two hooks share they share in the copies too, and a tensor of the model stays that tensor.
    """

    def __init__(self, kept: Iterable[Any] = ()) -> None:
        # The originals are held, so that no identity is used twice.
        self._known: dict[int, tuple[Any, Any]] = {id(one): (one, one) for one in kept}

    def __call__(self, value: Any) -> Any:
        if id(value) not in self._known:
            self._known[id(value)] = (value, self._new(value))
        return self._known[id(value)][1]

    def _new(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value if value.requires_grad else value.detach().clone()
        if isinstance(value, torch.Generator):
            return value.clone_state()
        if isinstance(value, (np.ndarray, np.random.Generator, random.Random)):
            return copy.deepcopy(value)
        if isinstance(value, dict):
            new = copy.copy(value)
            new.update((key, self(member)) for key, member in value.items())
            return new
        if isinstance(value, deque):
            return deque((self(member) for member in value), maxlen=value.maxlen)
        if type(value) in (list, tuple, set):
            return type(value)(self(member) for member in value)
        ours = type(value).__module__.startswith("ssdet.") and hasattr(value, "__dict__")
        if ours and not isinstance(value, (nn.Module, Hook, type)):
            new = copy.copy(value)
            for name, member in vars(value).items():
                object.__setattr__(new, name, self(member))
            return new
        return value
