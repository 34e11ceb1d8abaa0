"""MMEngine's runner with safe loading, whole checkpoints, verified resume and one run folder."""

from __future__ import annotations

import contextlib
import copy
import itertools
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from .. import total_batch
from ..exits import DISK, CheckpointError, RunError, UsageError, write_error
from ..ranks import any_rank
from ..registry import RUNNERS
from ..run_files import NEWEST
from . import data_workers
from .amp import cpu_amp_config
from .checkpoint_content import collect
from .checkpoint_file import write_checkpoint
from .checkpoint_hook import checkpoint_hook
from .checkpoint_index import check_listed, find_latest
from .distributed import start_process_group
from .failures import explained, lost_rank
from .run_folder import FolderLock

# What a run gets unless its config says otherwise; `name=None` in the config removes one.
DEFAULT_HOOKS: dict[str, dict[str, Any]] = {
    "run_folder": {"type": "RunFolderHook"},
    "stop": {"type": "GracefulStopHook"},
    "finite": {"type": "FiniteGuardHook"},
    "memory": {"type": "OutOfMemoryHook"},
    "logger": {"type": "ProgressHook", "interval": 10},
    "metrics": {"type": "MetricsFileHook"},
    "checkpoint": {"type": "AtomicCheckpointHook", "interval": 1},
    "monitor": {"type": "PseudoLabelMonitorHook"},
    "report": {"type": "ReportHook"},
}
_RUNS = itertools.count(1)  # runs of this process, in the same order on every rank
REPLACED = {"CheckpointHook": "AtomicCheckpointHook", "LoggerHook": "ProgressHook"}


@RUNNERS.register_module()
class SafeRunner(Runner):
    """The runner behind `ssdet train` and `ssdet test` (`runner_type="SafeRunner"`).

    It runs any MMEngine config, adds ssdet's default hooks (see `DEFAULT_HOOKS`), joins a process
    group on CPUs as on GPUs, and writes `train.log` at the top of the work folder. Resuming takes
    the newest checkpoint whose checksum is right, and warns when that is not the newest.
    """

    _log_dir: str
    _resume: bool | str
    _load_from: str | None
    _has_loaded: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._set_console_level(logging.INFO)

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Join the process group first: MMEngine's launcher dies without CUDA."""
        if self.distributed and not is_distributed():
            start_process_group(self.launcher, **env_cfg.get("dist_cfg", {}))
        super().setup_env(env_cfg)
        # MMEngine names a run by the second of its start. Two runs of one second and one config
        # would share a name, and with it the scope and the log of the first one.
        number = next(_RUNS)
        if number > 1:
            self._timestamp += f"_{number}"

    def build_logger(
        self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any
    ) -> MMLogger:
        """Log to `work_dir/train.log` (or `test.log`) instead of a folder for each start."""
        barrier()  # no rank may still be making the folder that the first one removes
        with contextlib.suppress(OSError):
            Path(self._log_dir).rmdir()
        self._log_dir = self.work_dir
        name = "test.log" if self._train_loop is None else "train.log"
        if self._train_loop is not None and is_main_process():
            FolderLock(Path(self.work_dir)).refuse_others()  # before a line is added to their log
        logger = super().build_logger(log_level, log_file or f"{self.work_dir}/{name}", **kwargs)
        for handler in logger.handlers:
            handler.handleError = partial(_full_disk, logger, handler)  # type: ignore[method-assign]
        # The environment, the whole config and the list of hooks belong in the file.
        self.logger = logger
        self._set_console_level(logging.WARNING)
        return logger

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: Any) -> Any:
        """Wrap for several processes with a wrapper that works on a CPU, too."""
        if self.distributed and model_wrapper_cfg is None:
            model_wrapper_cfg = {
                "type": "PortableDistributedDataParallel",
                "find_unused_parameters": self.cfg.get("find_unused_parameters", False),
            }
        return super().wrap_model(model_wrapper_cfg, model)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Replace `AmpOptimWrapper` where there is no CUDA: bfloat16 if this CPU is fast in it."""
        is_amp = isinstance(optim_wrapper, dict) and optim_wrapper.get("type") == "AmpOptimWrapper"
        if is_amp and not torch.cuda.is_available():
            optim_wrapper, choice = cpu_amp_config(optim_wrapper)
            slow = optim_wrapper["type"] == "OptimWrapper"
            self.logger.log(logging.WARNING if slow else logging.INFO, choice)
        return super().build_optim_wrapper(optim_wrapper)

    def scale_lr(
        self, optim_wrapper: OptimWrapper, auto_scale_lr: dict[str, Any] | None = None
    ) -> None:
        """Let the learning rates follow the number of images; see `total_batch.lr_factor`."""
        ratio = total_batch.ratio(self.cfg, self.world_size)
        if not total_batch.scales(self.cfg) or ratio == 1:
            return
        wrappers = optim_wrapper.values() if hasattr(optim_wrapper, "values") else [optim_wrapper]
        for wrapper in wrappers:
            kind = type(wrapper.optimizer).__name__
            factor = total_batch.lr_factor(kind, ratio)
            for group in wrapper.optimizer.param_groups:
                group["lr"] *= factor
            self.logger.info(
                f"--auto-scale-lr: an iteration has {ratio:.4g} times the images that the learning "
                f"rate is meant for; the rates of {kind} are multiplied by {factor:.4g}. For as "
                f"many images in all, train for {round(self.max_iters / ratio)} iterations"
            )

    def register_default_hooks(self, hooks: dict[str, Any] | None = None) -> None:
        """Add ssdet's default hooks to MMEngine's; a dict without a type changes one of them."""
        merged: dict[str, Any] = {name: dict(hook) for name, hook in DEFAULT_HOOKS.items()}
        for name, hook in (hooks or {}).items():
            merged[name] = _completed(name, hook) if isinstance(hook, dict) else hook
        known = ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")
        kept = {name: hook for name, hook in merged.items() if hook is not None or name in known}
        super().register_default_hooks(kept)

    def dump_config(self) -> None:
        """Leave it to `RunFolderHook`, which knows that no other run uses this folder."""

    @staticmethod
    def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """Build a loader whose errors are single messages, and whose workers may not hang."""
        if isinstance(dataloader, dict):
            dataloader = copy.copy(dataloader)
            data_workers.set_timeout(dataloader)
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        data_workers.watch(loader)
        return loader

    def train(self) -> Any:
        """Train; where it ends early, save what is whole and notify the hooks (`on_exception`)."""
        try:
            self._resume_if_restarted()
            return super().train()
        except BaseException as error:
            told = explained(error, self)
            if data_workers.between_steps(error):
                self._save_between_steps()
            for hook in self.hooks:
                # On a full disk, that cannot be written down either.
                with contextlib.suppress(OSError, RunError):
                    getattr(hook, "on_exception", _nothing)(self, told)
            if told is error:
                raise
            raise told from error

    def test(self) -> Any:
        """Test; a process that waits for another one in vain says so."""
        try:
            return super().test()
        except RuntimeError as error:
            lost = lost_rank(error, "during the test")
            if lost is None:
                raise
            raise lost from error

    def _resume_if_restarted(self) -> None:
        """`torchrun --max-restarts` starts the same command again, without `--resume`.

        A machine that did not fail, or that is new, does not count it as a restart; so all decide
        together.
        """
        again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0
        if any_rank(again) and not self._resume:
            self._resume = NEWEST

    def _save_between_steps(self) -> None:
        # With several processes each would have to take part, and the others wait elsewhere.
        hook = checkpoint_hook(self)
        started = hook is not None and hasattr(hook, "index") and self.iter > 0
        if hook is None or not started or self.world_size > 1 or hook.saved_iteration == self.iter:
            return
        with contextlib.suppress(RunError):
            hook.save_now(self, self.iter, self.epoch)
            self.logger.warning(f"Saved the state after iteration {self.iter}")

    def load_or_resume(self) -> None:
        """Resume from the newest undamaged checkpoint, and log which and why.

        With `resume='auto'`, `load_from` is what the run starts from where there is none yet; with
        `resume=True` it is the checkpoint to resume from, as in MMEngine.
        """
        newest = self._resume == NEWEST or (self._resume and self._load_from is None)
        if self._has_loaded or not newest:
            if self._resume and self._load_from is not None:
                check_listed(Path(self._load_from))
            super().load_or_resume()
            return
        path, damaged = find_latest(Path(self.work_dir))
        if path is None and damaged:
            raise CheckpointError(
                "cannot resume, all checkpoints are damaged: " + "; ".join(damaged) + ". "
                "Start again with another --work-dir"
            )
        if path is None:
            start = self._load_from or "scratch"
            self.logger.warning(f"Nothing to resume in {self.work_dir}: starting from {start}")
            self._resume = False
            super().load_or_resume()
            return
        self._load_from = None
        for problem in damaged:
            self.logger.warning(f"Damaged checkpoint {problem}. Falling back to {path}")
        self.resume(str(path))
        self._has_loaded = True
        if self.iter >= self.max_iters:
            self.logger.info(
                f"The run is finished: {self.iter} of {self.max_iters} iterations, nothing left "
                f"to do"
            )

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        *_: Any,
        save_optimizer: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = True,
        **__: Any,
    ) -> None:
        """Save whole or not at all; kept in MMEngine's form for hooks that call it."""
        if is_main_process():
            done = {"epoch": self.epoch + by_epoch, "iter": self.iter + (not by_epoch)}
            is_built = isinstance(self.optim_wrapper, OptimWrapper)
            checkpoint = collect(
                self, {**done, **(meta or {})}, training=save_optimizer and is_built
            )
            write_checkpoint(checkpoint, Path(out_dir) / filename)

    def _set_console_level(self, level: int) -> None:
        for handler in self.logger.handlers:
            is_console = getattr(handler, "stream", None) in (sys.stdout, sys.__stdout__)
            if is_console and handler.level < logging.ERROR:
                handler.setLevel(level)


def _completed(name: str, hook: dict[str, Any]) -> dict[str, Any]:
    """A default hook with its type: `--cfg-options default_hooks.memory.oom=retry` names none."""
    if "type" not in hook:
        if name not in DEFAULT_HOOKS:
            raise UsageError(
                f"default_hooks.{name}: no type, and no default hook has this name; known are "
                f"{', '.join(DEFAULT_HOOKS)}. Say type=..., or check the name"
            )
        return {**DEFAULT_HOOKS[name], **hook}
    return {**hook, "type": REPLACED.get(hook["type"], hook["type"])}


def _nothing(*_: Any) -> None:
    """What a hook without `on_exception` does."""


def _full_disk(logger: logging.Logger, handler: logging.Handler, record: Any) -> None:
    """A log that cannot be written ends the run; logging itself would print a traceback a line."""
    error = sys.exc_info()[1]
    if not (isinstance(error, OSError) and error.errno in DISK):
        logging.Handler.handleError(handler, record)
        return
    logger.removeHandler(handler)
    if isinstance(handler, logging.FileHandler):
        with contextlib.suppress(OSError):
            handler.close()  # what is still in its buffer would fail again at the exit
    raise write_error(error, getattr(handler, "baseFilename", "standard output")) from error
