"""What ended a run, in one message that says what to do next."""

from __future__ import annotations

import re
from typing import Any

import torch
from mmengine.model import is_model_wrapper

from ..exits import DISK, OutOfMemoryError, RankError, RunError, write_error

# PyTorch has one class for devices; on a CPU it is a RuntimeError with this text.
NO_MEMORY = re.compile("not enough memory|can't allocate memory|DefaultCPUAllocator")
NO_ANSWER = re.compile("gloo|nccl|Connection closed|Connection reset|Timed out|Broken pipe", re.I)


def explained(error: BaseException, runner: Any) -> BaseException:
    """The error as one with an exit code, where it is known what it means; else itself."""
    if isinstance(error, RunError):
        return error
    if isinstance(error, OSError) and error.errno in DISK:
        return write_error(error)
    if is_out_of_memory(error):
        return OutOfMemoryError(_no_memory(error, runner))
    return lost_rank(error, f"after iteration {runner.iter}") or error


def lost_rank(error: BaseException, when: str) -> RankError | None:
    """The error in words, if it says that another process of the training is gone."""
    if not isinstance(error, RuntimeError) or not torch.distributed.is_initialized():
        return None
    if not (isinstance(error, torch.distributed.DistError) or NO_ANSWER.search(str(error))):
        return None
    return RankError(
        f"rank {torch.distributed.get_rank()} waited in vain for another process {when}: that one "
        f"died or hangs, and its own message says why ({_first_line(error)}). Continue a training "
        f"with --resume; env_cfg.dist_cfg.timeout is how long to wait"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and NO_MEMORY.search(str(error)) is not None


def _no_memory(error: BaseException, runner: Any) -> str:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    network = getattr(model, "passing", "model")
    device = next(model.parameters()).device
    return (
        f"no memory left on {device} in the pass of the {network}, iteration {runner.iter + 1} "
        f"({_first_line(error)}). Three settings help: a smaller batch "
        f"(train_dataloader.batch_size and sampler.batch; optim_wrapper.accumulative_counts=2 "
        f"keeps the total), half precision "
        f"(--amp), or layers that compute twice instead of storing (backbone.with_cp=True). "
        f"default_hooks.memory.oom=retry takes such a step in parts. "
        f"Checkpoints are whole; continue with --resume-anyway"
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0]
    return line if len(line) <= 160 else line[:157] + "..."
