"""One folder for one run: which process uses it, what runs, how it ended."""

from __future__ import annotations

import atexit
import json
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from ..exits import LockedError, RunError, Stopped
from ..registry import HOOKS
from ..version import versions
from .checkpoint_content import config_text, data_checksums
from .checkpoint_file import write_text
from .checkpoint_index import FOLDER, CheckpointIndex
from .data_files import NAME as DATA_FILES
from .resume_check import record_data

LOCK = ".lock"
OF_ONE_RUN = (
    FOLDER, "config.py", "run.json", "metrics.jsonl", "report.html", "quality.json",
    "pseudo", "plots", DATA_FILES,
)  # fmt: skip


@HOOKS.register_module()
class RunFolderHook(Hook):
    """Keep `config.py` and `run.json` in the work folder, and other runs out of it.

    A second run in the same folder is refused with the process id and host of the first; the lock
    of a process that is gone is taken over. A new run in the folder of an earlier one moves that
    one's files to `earlier-1/`, `earlier-2/`, ... so that nothing is overwritten or mixed.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self.record: dict[str, Any] | None = None

    def before_train(self, runner: Any) -> None:
        """Lock the folder and record what runs."""
        if not is_main_process():
            return
        self.folder = Path(runner.work_dir)
        self.lock = FolderLock(self.folder)
        self.lock.acquire()
        if runner.iter == 0:
            moved = set_aside(self.folder)
            if moved is not None:
                runner.logger.warning(f"The folder held an earlier run: moved to {moved}")
        write_text(config_text(runner), self.folder / "config.py")
        record_data(runner)
        self.record = _describe(runner)
        self._write("running")
        atexit.register(self._write_if_running)

    def after_run(self, runner: Any) -> None:
        """Record that the run is complete."""
        if self.record is not None:
            self._end("finished")

    def on_exception(self, runner: Any, error: BaseException) -> None:
        """Record how the run ended."""
        if self.record is None:
            return
        if isinstance(error, Stopped):
            self._end(f"stopped by {error.signal.name}", int(error.code or 0))
        else:
            code = int(error.exit_code) if isinstance(error, RunError) else 1
            self._end(f"failed: {type(error).__name__}: {str(error)[:500]}", code)

    def _end(self, state: str, code: int = 0) -> None:
        self._write(state, code)
        self.record = None
        self.lock.release()

    def _write_if_running(self) -> None:
        if self.record is not None:
            self._end("ended early", 1)

    def _write(self, state: str, code: int | None = None) -> None:
        end = _now() if state != "running" else None
        record = {**(self.record or {}), "state": state, "exit_code": code, "end": end}
        write_text(json.dumps(record, indent=2, default=str) + "\n", self.folder / "run.json")


class FolderLock:
    """A file that names the process working in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK

    def refuse_others(self) -> None:
        """Raise `LockedError` if another process works in the folder; do not lock it."""
        owner = self._owner()
        if owner and owner.get("pid") != os.getpid() and _is_alive(owner):
            raise LockedError(
                f"{self.path.parent} is in use by process {owner['pid']} on "
                f"{owner['host']} since {owner['since']}. Choose another --work-dir, or, "
                f"if that run is gone, delete {self.path}"
            )

    def acquire(self) -> None:
        """Lock the folder, or raise `LockedError` with the owner's process id and host."""
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        for _ in range(2):
            try:
                descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                self.refuse_others()
                self.path.unlink(missing_ok=True)
                continue
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(mine, file)
            return
        raise LockedError(f"{self.path} is being locked by another process at this moment")

    def release(self) -> None:
        """Unlock the folder, if the lock is ours."""
        owner = self._owner()
        if owner and owner["pid"] == os.getpid() and owner["host"] == socket.gethostname():
            self.path.unlink(missing_ok=True)

    def _owner(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def set_aside(folder: Path) -> Path | None:
    """Move the files of an earlier run that has checkpoints to `earlier-N/`."""
    if not CheckpointIndex.load(folder / FOLDER).entries and not any(
        (folder / FOLDER).glob("*.pth")
    ):
        return None
    number = 1
    while (target := folder / f"earlier-{number}").exists():
        number += 1
    target.mkdir()
    for name in OF_ONE_RUN:
        if (folder / name).exists():
            (folder / name).rename(target / name)
    return target


def _describe(runner: Any) -> dict[str, Any]:
    loaders = {
        "train": runner.train_dataloader,
        "val": getattr(runner.val_loop, "dataloader", None),
    }
    checksums = data_checksums(runner)
    has_cuda = torch.cuda.is_available()
    return {
        "command": shlex.join(sys.argv),
        "cwd": os.getcwd(),
        "config": runner.cfg.filename,
        "compared_as": runner.cfg.get("compared_as"),
        "start": _now(),
        "start_iteration": runner.iter,
        "max_iterations": runner.max_iters,
        "seed": runner.seed,
        "world_size": runner.world_size,
        "device": torch.cuda.get_device_name() if has_cuda else f"cpu ({platform.machine()})",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "git_commit": _git_commit(),
        "versions": versions(),
        "data": {
            name: {"images": len(loader.dataset), "sha256": checksums.get(name)}
            for name, loader in loaders.items()
            if loader is not None
        },
    }


def _git_commit() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def _is_alive(owner: dict[str, Any]) -> bool:
    if owner.get("host") != socket.gethostname():
        return True  # cannot be seen from here
    try:
        os.kill(int(owner["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
