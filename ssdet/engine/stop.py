"""Asked to stop (SIGTERM, SIGUSR1, Ctrl-C): finish the step, save, tell it by the exit code."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop

from ..exits import Exit, Stopped
from ..ranks import any_rank
from ..registry import HOOKS
from .checkpoint_hook import checkpoint_hook

SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []))


@HOOKS.register_module()
class GracefulStopHook(Hook):
    """End a run on SIGTERM, SIGINT or SIGUSR1 after the current step, with a checkpoint.

    The exit code is 143 or 130, and 75 after SIGUSR1, which Slurm sends before the time is over
    (`#SBATCH --signal=USR1@120`): the job is to be started again with `--resume`. A second signal
    ends the process at once. Loader workers get a process group of their own: a terminal sends
    Ctrl-C to the whole group, and the main process needs them until it has saved.

    Args:
        requeue: SIGTERM, too, ends with 75: for queues that preempt a job with it.
    """

    priority = "LOWEST"

    def __init__(self, requeue: bool = False) -> None:
        self.requeue = requeue
        self.received = 0
        self._process = os.getpid()
        self._previous: dict[int, Any] = {}

    def before_run(self, runner: Any) -> None:
        """Install the signal handlers, before weights are loaded and workers started."""
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._on_signal)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._forget_in_child)

    def before_train(self, runner: Any) -> None:
        """Prepare the workers; end at once if a signal came while the run was being prepared."""
        for loader in (runner.train_dataloader, getattr(runner.val_loop, "dataloader", None)):
            if loader is not None and loader.num_workers > 0:
                loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        if any_rank(bool(self.received)):
            self._end(runner, runner.iter)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and end, if a signal came; `runner.iter` is not yet counted up here."""
        if any_rank(bool(self.received)):
            self._end(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Do not wait for the end of a validation; a resumed run starts it again."""
        if isinstance(runner._train_loop, BaseLoop) and any_rank(bool(self.received)):
            self._end(runner, runner.iter)

    def after_run(self, runner: Any) -> None:
        """Remove the signal handlers."""
        self._forget()
        self._previous = {}

    def on_exception(self, runner: Any, error: BaseException) -> None:
        """Remove the signal handlers."""
        self.after_run(runner)

    def _forget(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _forget_in_child(self) -> None:
        # A metric's pool or a worker: with our handler it could not be ended. The other signals
        # are for the main process: a worker that dies of one would end the run before it saves.
        for number in self._previous:
            ends = number == signal.SIGTERM
            signal.signal(number, signal.SIG_DFL if ends else signal.SIG_IGN)

    def _end(self, runner: Any, iteration: int) -> None:
        number = self.received or signal.SIGTERM  # another rank may have got it alone
        hook = checkpoint_hook(runner)
        if iteration == 0:
            pass  # there is nothing to save
        elif hook is None:
            runner.logger.warning("No AtomicCheckpointHook: the run ends without a checkpoint")
        elif hook.saved_iteration != iteration:
            hook.save_now(runner, iteration, runner.epoch)
        runner.logger.warning(
            f"Stopped by {signal.Signals(number).name} after iteration {iteration}"
        )
        name = signal.Signals(number).name
        again = name == "SIGUSR1" or (name == "SIGTERM" and self.requeue)
        raise Stopped(number, Exit.REQUEUE if again else None)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a child that has not yet come to `_forget_in_child`
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.received:
            os._exit(128 + number)
        self.received = number
        # Not through the logger: the signal may have interrupted it while it holds its lock.
        name = signal.Signals(number).name
        os.write(2, f"\n{name}: finishing the step and saving; repeat it to end at once\n".encode())


def _start_worker(init: Callable[[int], None] | None, worker_id: int) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    if init is not None:
        init(worker_id)
