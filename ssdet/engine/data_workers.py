"""Processes that load data: one of them may die, fail or hang, and the run says so and ends whole.

Everything that goes wrong is raised where a batch is asked for, that is between two steps, so that
the state of the run can be saved. PyTorch would raise the death of a worker anywhere in a step.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from torch.utils.data import DataLoader, _utils

from ..exits import RunError, WorkerError

TIMEOUT = 300.0  # seconds without a batch
LOOK = 1.0  # seconds between two looks at the workers
CAUGHT = re.compile(r"Caught (\w+) in DataLoader worker process (\d+)\.\nOriginal ")
Fetch = Callable[..., Any]


def set_timeout(loader: dict[str, Any] | Any) -> None:
    """Give the config of a loader with workers a limit of time, if it has none."""
    if isinstance(loader, dict) and loader.get("num_workers", 0) > 0:
        loader.setdefault("timeout", TIMEOUT)


def watch(loader: DataLoader) -> None:
    """Let errors of a loader and of its workers become one message each, raised between steps."""
    # Else PyTorch installs a handler that raises when a child dies, in the midst of a step.
    _utils.signal_handling._SIGCHLD_handler_set = True
    loader._get_iterator = partial(_iterator, loader._get_iterator)  # type: ignore[method-assign]


def between_steps(error: BaseException) -> bool:
    """Whether an error came from a loader: the last step is whole, the next has not begun."""
    return getattr(error, "between_steps", False)


def end_workers(loader: Any) -> None:
    """End the workers of a loader at once; one that hangs would be waited for."""
    for worker in getattr(getattr(loader, "_iterator", None), "_workers", ()):
        worker.kill()


def _iterator(make: Callable[[], Any]) -> Any:
    iterator = make()
    if hasattr(iterator, "_try_get_data"):
        iterator._try_get_data = partial(_look_often, iterator._try_get_data)
    iterator._next_data = partial(_next, iterator, iterator._next_data)
    return iterator


def _look_often(get: Fetch, timeout: float = LOOK) -> tuple[bool, Any]:
    """Wait for a batch and, each second, look whether a worker has died."""
    end = time.monotonic() + timeout
    while True:
        found, data = get(min(LOOK, timeout))
        if found or time.monotonic() >= end:
            return found, data


def _next(iterator: Any, fetch: Fetch) -> Any:
    try:
        return fetch()
    except StopIteration:
        raise
    except Exception as error:
        told = explained(error)
        told.between_steps = True  # type: ignore[attr-defined]
        for worker in getattr(iterator, "_workers", ()):
            worker.kill()
        if told is error:
            raise
        raise told from error


def explained(error: Exception) -> Exception:
    """What a loader raised, as an error with one message; others as they are."""
    text = str(error)
    caught = CAUGHT.match(text)
    if caught is not None:
        name, number = caught.groups()
        # The last line of the traceback that starts with the class is where its message begins.
        start = [m.end() for m in re.finditer(rf"^(?:[\w.]+\.)?{name}(?:: |$)", text, re.M)]
        message = text[start[-1] :].strip() if start else text
        if isinstance(error, RunError):
            return type(error)(message)
        return WorkerError(
            f"data worker {number} failed: {name}: {message}. SSDET_TRACEBACK=1 shows where; with "
            f"num_workers=0 a debugger reaches it. Continue with --resume"
        )
    if not isinstance(error, RuntimeError):
        return error
    if "exited unexpectedly" in text or "is killed by signal" in text:
        pids = ", ".join(re.findall(r"\d+", text.partition("pid")[2].partition(")")[0]))
        shared = shutil.disk_usage("/dev/shm").free >> 20 if _has_shared_memory() else "?"
        return WorkerError(
            f"a data worker (process {pids}) died without a word, most likely for lack of memory, "
            f"or of shared memory (/dev/shm has {shared} MiB left). Lower num_workers or the batch "
            f"size, then continue with --resume"
        )
    if "timed out after" in text:
        seconds = "".join(re.findall(r"after ([\d.]+)", text)[:1])
        return WorkerError(
            f"no data worker has delivered a batch for {seconds} seconds: a disk or network that "
            f"hangs, or a transform that never ends. Continue with --resume; "
            f"train_dataloader.timeout sets the limit"
        )
    return error


def _has_shared_memory() -> bool:
    try:
        shutil.disk_usage("/dev/shm")
    except OSError:
        return False
    return True
