"""Numbers that are not finite: skip the step, name them, stop when it keeps happening."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict

from ..exits import NumericError, UsageError, writing
from ..ranks import any_rank
from ..registry import HOOKS
from .checkpoint_file import write_text
from .running_statistics import RunningStatistics

FOLDER = "nan_dump"
SHOWN = 5


@HOOKS.register_module()
class FiniteGuardHook(Hook):
    """Undo a step whose loss, gradient or running statistics are not finite.

    The optimizer does not step, and the running statistics (batch norm) of student, teacher and
    auxiliary networks are put back to what they were before the step, so that averages and
    checkpoints never see such a number. Everything is checked once per optimizer step (one
    reduction, one synchronization), all ranks decide together, and the schedules continue. While
    gradients are accumulated, the statistics of each iteration are checked, too.

    Each skipped step is counted, logged with the losses and parameters that were not finite, and
    described in `work_dir/nan_dump/`. Under float16 an overflowing gradient is left to the loss
    scaler and not counted, unless the scale has fallen below 1.

    Args:
        patience: after this many skipped steps in a row the run stops with exit code 70.
    """

    priority = "VERY_HIGH"

    def __init__(self, patience: int = 3) -> None:
        if patience < 1:
            raise UsageError(f"FiniteGuardHook: patience={patience} is not at least 1")
        self.patience = patience
        self.total = 0
        self.in_a_row = 0
        self._statistics: RunningStatistics | None = None
        self._is_finite: torch.Tensor | None = None  # of the losses since the last step
        self._bad_losses: dict[str, float] = {}
        self._bad_parameters: list[str] = []
        self._bad_statistics: list[str] = []
        self._stepped = self._skipped = False

    def before_train(self, runner: Any) -> None:
        """Put the guard around every optimizer wrapper."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._statistics = RunningStatistics(model)
        bad = [name for name, value in model.named_parameters() if not value.isfinite().all()]
        if bad:
            raise NumericError(
                f"the weights to start from are not finite: {_first(bad)}. Start from an earlier "
                f"checkpoint, or from other weights"
            )
        wrapper = runner.optim_wrapper
        members = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        for member in members:
            member.backward = partial(self._backward, member.backward)
            guarded: Any = partial(self._step, member, member.step)
            # MMEngine's schedulers look for the mark that they put on `step`.
            guarded._with_counter = getattr(member.step, "_with_counter", False)
            member.step = guarded

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Keep what the forward pass is about to change."""
        if self._statistics is not None:
            self._statistics.keep()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count and report a step that was skipped, and undo its forward pass."""
        between_steps = not (self._skipped or self._stepped)
        if self._skipped or (between_steps and any_rank(_is_false(self._is_finite))):
            self._undo(runner)
        values = {name: _number(value) for name, value in (outputs or {}).items()}
        for name, value in values.items():
            if "loss" in name and not math.isfinite(value):
                self._bad_losses[name] = value
        if self._skipped:
            self.total += 1
            self.in_a_row += 1
            runner.message_hub.update_scalar("train/skipped_steps", self.total)
            self._report(runner, data_batch, values)
        elif self._stepped:
            self.in_a_row = 0
        if self._skipped or self._stepped:
            self._bad_losses, self._bad_parameters, self._bad_statistics = {}, [], []
        self._stepped = self._skipped = False

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the counts."""
        checkpoint["finite_guard"] = {"total": self.total, "in_a_row": self.in_a_row}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the counts of a resumed run."""
        if runner._resume and "finite_guard" in checkpoint:
            self.total = int(checkpoint["finite_guard"]["total"])
            self.in_a_row = int(checkpoint["finite_guard"]["in_a_row"])

    def _undo(self, runner: Any) -> None:
        if self._statistics is not None:
            self._statistics.restore()
        for name, buffer in runner.message_hub.log_scalars.items():
            values, counts = buffer.data
            if name.startswith("train/") and len(values) and not math.isfinite(values[-1]):
                values[-1], counts[-1] = 0.0, 0  # no part of a mean

    def _backward(self, backward: Callable[..., None], loss: torch.Tensor, **kwargs: Any) -> None:
        # Always run it: a rank that left it out would leave the others waiting.
        finite = torch.isfinite(loss.detach()).all()
        statistics = self._statistics.finite() if self._statistics is not None else None
        for known in (statistics, self._is_finite):
            finite = finite if known is None else finite & known.to(finite.device)
        self._is_finite = finite
        backward(loss, **kwargs)

    def _step(self, wrapper: OptimWrapper, step: Callable[..., None], **kwargs: Any) -> None:
        finite, self._is_finite = self._is_finite, None
        gradients = {
            id(parameter): parameter.grad
            for group in wrapper.optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        }
        scaler = getattr(wrapper, "loss_scaler", None)
        checked = scaler is None or not scaler.is_enabled() or scaler.get_scale() < 1.0
        largest = torch._foreach_norm(list(gradients.values()), math.inf) if checked else []
        is_bad = _is_false(finite)
        if largest:
            is_bad |= not bool(torch.isfinite(torch.stack([x.float() for x in largest])).all())
        if any_rank(is_bad):
            self._skipped = True
            self._bad_parameters += [
                self._names.get(key, "?")
                for key, gradient in gradients.items()
                if not bool(torch.isfinite(gradient).all())
            ]
            self._bad_statistics = self._statistics.bad() if self._statistics else []
        else:
            self._stepped = True
            step(**kwargs)

    def _report(self, runner: Any, data_batch: Any, values: dict[str, float]) -> None:
        what = []
        losses = {name: value for name, value in self._bad_losses.items() if name != "loss"}
        if losses or self._bad_losses:
            shown = losses or self._bad_losses  # `loss` is the sum of the others
            what.append(", ".join(f"{name} = {value}" for name, value in shown.items()))
        if self._bad_parameters:
            what.append(f"gradient of {_first(self._bad_parameters)}")
        if self._bad_statistics:
            what.append(f"running statistics {_first(self._bad_statistics)}")
        found = "; ".join(what) or "on another rank"
        iteration = runner.iter + 1
        message = (
            f"iteration {iteration}: optimizer step skipped, not finite: {found} "
            f"({self.in_a_row} in a row, {self.total} in total)"
        )
        runner.logger.warning(message)
        dump = {
            "iteration": iteration,
            "rank": runner.rank,
            "losses": {name: str(value) for name, value in values.items()},
            "parameters_with_bad_gradient": self._bad_parameters,
            "bad_running_statistics": self._bad_statistics,
            "images": images_of(data_batch),
            "learning_rate": {k: v[0] for k, v in runner.optim_wrapper.get_lr().items()},
        }
        folder = Path(runner.work_dir) / FOLDER
        suffix = "" if is_main_process() else f"_rank_{runner.rank}"
        path = folder / f"iter_{iteration}{suffix}.json"
        with writing(path):
            folder.mkdir(exist_ok=True)
        write_text(json.dumps(dump, indent=2), path)
        if self.in_a_row >= self.patience:
            raise NumericError(
                f"{message}. {self.patience} skipped steps in a row end the run; weights and "
                f"teacher are as after the last good step. See {path} for the images and losses. "
                f"Usual causes: a learning rate too high, broken boxes or labels, float16 overflow"
            )


def images_of(data_batch: Any) -> list[dict[str, Any]]:
    """Return id and path of every image in a batch, by branch where there are branches."""
    samples = data_batch.get("data_samples", []) if isinstance(data_batch, dict) else []
    branches = samples if isinstance(samples, dict) else {"": samples}
    found = []
    for branch, members in branches.items():
        for info in (sample.metainfo for sample in members or [] if sample is not None):
            found.append({"branch": branch, "id": info.get("img_id"), "path": info.get("img_path")})
    return found


def _first(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _is_false(flag: torch.Tensor | None) -> bool:
    return flag is not None and not bool(flag)


def _number(value: Any) -> float:
    if isinstance(value, torch.Tensor):
        return float(value.detach().float().mean())
    return float(value) if isinstance(value, (int, float)) else 0.0
