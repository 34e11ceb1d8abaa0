"""What a person sees while it runs: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import LoggerHook, iter_timer_hook
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..registry import HOOKS
from ..validation import check_range

# MMEngine takes the time of a step from the clock on the wall: where that was set back, the time
# left became negative.
iter_timer_hook.time = SimpleNamespace(time=time.monotonic)
FIRST = (1, 2, 5, 10)  # iterations of this start whose line nobody should have to wait for
SHOWN = ("loss", "pseudo/kept", "pseudo/score")
SCORES = ("segm_mAP", "bbox_mAP", "mAP", "mDice", "mIoU")  # the first one that a validation has


@HOOKS.register_module()
class ProgressHook(LoggerHook):
    """MMEngine's logger hook with a live line: iteration, bar, time left, loss, pseudo labels kept.

    After a validation its score is on the line, too, the teacher's where there is one.

    The live line is drawn where the output is a terminal; the lines for single iterations then go
    to `train.log` only. Elsewhere (a file, a scheduler) they are printed as usual, with an ETA.
    The first, second, fifth and tenth iteration of a start have a line, then every `interval`, and
    in any case one after `seconds`. A test writes its numbers to `work_dir/test.json`.

    Args:
        seconds: The longest time without a line, as far as an iteration ends in it.
        kwargs: Arguments of MMEngine's `LoggerHook`, such as `interval`.
    """

    def __init__(self, seconds: float = 60, **kwargs: Any) -> None:
        kwargs.setdefault("log_metric_by_epoch", False)
        super().__init__(**kwargs)
        check_range("ProgressHook", "seconds", seconds, high=float("inf"))
        self.seconds = seconds
        self._progress: Progress | None = None
        self._score = ""

    def before_run(self, runner: Any) -> None:
        """Name the file of a test's numbers."""
        super().before_run(runner)
        self.json_log_path = "test.json"

    def before_train(self, runner: Any) -> None:
        """Draw the live line, if the output is a terminal."""
        self._start, self._last_line = runner.iter, time.monotonic()
        if not (is_main_process() and sys.stdout.isatty()) or self._progress is not None:
            return
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[numbers]}"),
        )  # fmt: skip
        self._progress.start()
        self._console = [
            handler for handler in runner.logger.handlers if type(handler) is logging.StreamHandler
        ]
        for handler in self._console:
            # What is printed now has to go above the live line, so through rich's stand-in.
            handler.setStream(sys.stdout)
            handler.addFilter(_is_not_an_iteration)
        self._train = self._progress.add_task(
            "train", total=runner.max_iters, completed=runner.iter, numbers=""
        )
        self._val: Any = None

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log a line if it is time for one; update the live line."""
        with np.errstate(invalid="ignore"):  # 0/0 where every step was skipped
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
            self._log_early(runner, batch_idx)
            self._update(runner)

    def _log_early(self, runner: Any, batch_idx: int) -> None:
        """Log one of the first iterations, or one after a long silence."""
        now = time.monotonic()
        overdue = now - self._last_line >= self.seconds
        if self._has_line(runner, batch_idx):
            self._last_line = now
        elif overdue or runner.iter + 1 - self._start in FIRST:
            # For a reader only: what the visualizer stores keeps its interval.
            _, line = runner.log_processor.get_log_after_iter(runner, batch_idx, "train")
            runner.logger.info(line)
            self._last_line = now

    def _update(self, runner: Any) -> None:
        if self._progress is not None:
            scalars = runner.message_hub.log_scalars
            numbers = "  ".join(
                f"{name} {scalars[f'train/{name}'].mean(self.interval):.3g}"
                for name in SHOWN
                if f"train/{name}" in scalars
            )
            shown = "  ".join(filter(None, (numbers, self._score)))
            self._progress.update(self._train, completed=runner.iter + 1, numbers=shown)

    def _has_line(self, runner: Any, batch_idx: int) -> bool:
        """Whether MMEngine's hook has logged this iteration."""
        loader = runner.train_dataloader
        short = not self.ignore_last or len(loader) <= self.interval
        last = short and self.end_of_epoch(loader, batch_idx)
        return last or self.every_n_inner_iters(batch_idx, self.interval)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Show how far the validation is."""
        if self._progress is None:
            super().after_val_iter(runner, batch_idx, data_batch, outputs)
            return
        if self._val is None:
            total = len(runner.val_dataloader)
            self._val = self._progress.add_task("val", total=total, numbers="")
        self._progress.update(self._val, completed=batch_idx + 1)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Print the metrics; remove the validation's bar."""
        super().after_val_epoch(runner, metrics)
        self._score = _score(metrics or {})
        if self._progress is not None and self._val is not None:
            self._progress.remove_task(self._val)
            self._val = None

    def after_run(self, runner: Any) -> None:
        """Restore the terminal."""
        self._close()
        super().after_run(runner)

    def on_exception(self, runner: Any, error: BaseException) -> None:
        """Restore the terminal."""
        self._close()

    def _close(self) -> None:
        if self._progress is None:
            return
        self._progress.stop()
        self._progress = None
        for handler in self._console:
            handler.setStream(sys.stdout)
            handler.removeFilter(_is_not_an_iteration)


def _score(metrics: Mapping[str, float]) -> str:
    """The main score of a validation in a word or two."""
    for name in SCORES:
        for key in sorted(metrics, key=lambda key: not key.startswith("teacher/")):
            if key.rpartition("/")[2] == name:
                model = "teacher " if key.startswith("teacher/") else ""
                return f"{model}{name} {metrics[key]:.3g}"
    return ""


def _is_not_an_iteration(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("Iter(train)", "Epoch(train)"))
