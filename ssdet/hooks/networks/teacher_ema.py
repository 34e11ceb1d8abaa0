"""Mean teacher: the teacher's weights are a moving average of the student's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from torch import Tensor, nn

from ...registry import HOOKS
from ...teacher_student.average import move
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import MomentumSchedule, momentum_at
from ...validation import check_choice, check_range
from ..step_hook import StepHook, optimizers_of

Buffers = Literal["ema", "copy", "skip"]
# Hooks of the ecosystem that move a teacher (or everything) too; two averages at once are an error.
RIVALS = (MeanTeacherHook, EMAHook)


@HOOKS.register_module()
class TeacherEMAHook(StepHook):
    """teacher = momentum * teacher + (1 - momentum) * student (Tarvainen & Valpola 2017, eq. 3).

    Updated once for each step that the optimizer really takes: gradient accumulation, a skipped
    step of a gradient scaler or of the guard against non-finite numbers changes nothing, nor does a
    step in which another hook lets the teacher rest (`model.teacher_rests`).
    The start is an exact copy of the student, buffers included, or comes from a checkpoint. Each
    auxiliary network with a teacher (`auxiliary_teachers` of the model) is averaged alike.

    Args:
        momentum: Share of the teacher that is *kept* in an update, in [0, 1]; 0.999 has a horizon
            of 1,000 updates. (MMDetection's `MeanTeacherHook` means the opposite.)
        schedule: "constant"; "mean" (a running mean at first, min(momentum, 1 - gamma/(t+gamma)));
            "linear" or "cosine" from `start` to `momentum` over `length` updates. A mean would
            discard a teacher that `load_from` loads and that is not the student's copy. Such a one
            has the full `momentum` from the first update on, unless the burn-in ends with a copy.
        begin: Updates before those that the schedule counts (the burn-in, for a schedule that
            belongs to the unlabeled images).
        gamma: 1 is the mean of all weights so far; the larger, the more later ones count.
        buffers: What happens to float buffers (statistics of batch norm): "ema", "copy" or
            "skip". Integer buffers are copied.
        interval: Optimizer steps between two updates.
        stop_after: The teacher is frozen after this many updates.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> model, hook = segmentor(), TeacherEMAHook(momentum=0.75)
        >>> model.attach(hook)
        >>> _ = [weight.data.fill_(1.0) for weight in model.student.parameters()]
        >>> _ = [weight.data.fill_(0.0) for weight in model.teacher.parameters()]
        >>> hook.update()
        >>> next(model.teacher.parameters()).mean()
        tensor(0.2500)
    """

    phase = Phase.OBSERVE
    averages_weights = True
    priority = "ABOVE_NORMAL"

    def __init__(
        self,
        momentum: float = 0.999,
        *,
        schedule: MomentumSchedule = "constant",
        length: int = 0,
        start: float = 0.0,
        begin: int = 0,
        gamma: float = 1.0,
        buffers: Buffers = "ema",
        interval: int = 1,
        stop_after: int | None = None,
    ) -> None:
        name = type(self).__name__
        check_range(name, "momentum", momentum)
        check_range(name, "start", start)
        check_choice(name, "schedule", schedule, MomentumSchedule)
        check_choice(name, "buffers", buffers, Buffers)
        check_range(name, "interval", interval, 1, float("inf"))
        check_range(name, "begin", begin, 0, float("inf"))
        if schedule in ("linear", "cosine") and length <= 0:
            raise ValueError(
                f"{name}: schedule={schedule!r} needs length > 0 (updates), not {length}"
            )
        if not gamma > 0:
            raise ValueError(f"{name}: gamma={gamma!r} is not above 0")
        self.momentum, self.schedule, self.length, self.start = momentum, schedule, length, start
        self.begin, self.gamma = begin, gamma
        self.buffers, self.interval, self.stop_after = buffers, interval, stop_after
        self.updates = 0
        self.loaded: list[str] = []  # the students whose teachers are those of a checkpoint
        self._steps = 0

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a student and a teacher whose tensors differ in name or shape."""
        super().on_attach(model)
        for name, pair in model.pairs.items():
            student, teacher = (_tensors(module) for module in pair)
            different = sorted(set(student) ^ set(teacher)) or [
                key for key in student if student[key].shape != teacher[key].shape
            ]
            if different:
                raise ValueError(
                    f"{type(self).__name__}: {name} and its teacher differ in {len(different)} "
                    f"tensors, first {different[0]!r}: an average needs two models of one config"
                )

    def before_run(self, runner: Any) -> None:
        """Attach to the model, unless another hook averages the same weights."""
        rivals = [type(h).__name__ for h in runner.hooks if isinstance(h, RIVALS)]
        if rivals:
            raise ValueError(
                f"{type(self).__name__} and {rivals[0]} would both average the same weights (and "
                f"their momenta mean opposite things): take {rivals[0]} out of custom_hooks"
            )
        super().before_run(runner)

    def before_train(self, runner: Any) -> None:
        """Count the steps that the optimizers take; find teachers that `load_from` has loaded."""
        super().before_train(runner)
        if runner.iter == 0 and self.model is not None:
            self._notice_loaded(self.model)
        for optimizer in optimizers_of(runner):
            self.watch(optimizer)

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Count the steps of this optimizer (for a plain PyTorch loop; a runner's is watched)."""
        optimizer.register_step_post_hook(self._count_step)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Update the teacher if the optimizer has stepped often enough."""
        if self._steps >= self.interval:
            self._steps = 0
            self.update()

    @torch.no_grad()
    def update(self) -> None:
        """Move the teacher once."""
        if self.model is None:
            raise RuntimeError(f"{type(self).__name__}: attach it to a model first")
        stopped = self.stop_after is not None and self.updates >= self.stop_after
        if stopped or self.model.teacher_rests:
            return
        for name, (student, teacher) in self.model.pairs.items():
            if name not in self.model.frozen:
                kept = self._kept(name, self.updates)
                share = {"ema": kept, "copy": 0.0, "skip": 1.0}[self.buffers]
                move(_named(teacher.named_parameters()), _named(student.named_parameters()), kept)
                move(_named(teacher.named_buffers()), _named(student.named_buffers()), share)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Updates done, and optimizer steps since the last one."""
        loaded = {"loaded": self.loaded} if self.loaded else {}
        return {"updates": self.updates, "steps": self._steps, **loaded}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the counts."""
        self.updates, self._steps = state["updates"], state["steps"]
        self.loaded = list(state.get("loaded", ()))

    @property
    def last_momentum(self) -> float | None:
        """The share of the teacher that the last update kept; None before the first."""
        if self.model is None or not self.updates:
            return None
        moved = [name for name in self.model.pairs if name not in self.model.frozen]
        return self._kept(moved[-1], self.updates - 1) if moved else None

    def _kept(self, name: str, updates: int) -> float:
        """The share of a teacher that an update keeps, by the number of those before it."""
        if name in self.loaded:
            return self.momentum
        return momentum_at(
            max(updates - self.begin, 0),
            self.momentum,
            schedule=self.schedule,
            length=self.length,
            start=self.start,
            gamma=self.gamma,
        )

    def _notice_loaded(self, model: TeacherStudent) -> None:
        """Teachers that are more than copies at the start of a run must not be discarded."""
        copied = model.burn_in > 0 and model.copy_after_burn_in
        if self.schedule != "mean" or copied:
            return
        self.loaded = [name for name, pair in model.pairs.items() if _differ(*pair)]
        if self.loaded:
            print_log(
                f"{type(self).__name__}: the checkpoint has a teacher of its own for "
                f"{', '.join(self.loaded)}: the running mean continues from it with the full "
                f"momentum {self.momentum}",
                logger="current",
            )

    def _count_step(self, *_: Any) -> None:
        self._steps += 1


def _differ(student: nn.Module, teacher: nn.Module) -> bool:
    theirs = _tensors(teacher)
    return any(not torch.equal(tensor, theirs[key]) for key, tensor in _tensors(student).items())


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**_named(module.named_parameters()), **_named(module.named_buffers())}


def _named(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors by their plain names, whatever wrappers (DDP, `torch.compile`) put before them."""
    return {
        name.replace("_orig_mod.", "").removeprefix("module."): tensor.detach()
        for name, tensor in tensors
    }
