"""How a run ends: the exit codes and the errors that carry them.

A caller (a scheduler, a Makefile, a person) can tell from the code alone what to do next.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path


class Exit(IntEnum):
    """Exit codes of every `ssdet` command, after BSD's sysexits."""

    OK = 0
    USAGE = 2  # wrong argument or config
    DATA = 65  # the data does not match the config
    NUMERIC = 70  # losses or gradients stopped being finite
    SYSTEM = 71  # a process, the memory or the network of processes gave up
    LOCKED = 73  # another run uses this folder
    IO = 74  # a file could not be written or read
    REQUEUE = 75  # stopped by the queue, state saved: start it again


class RunError(Exception):
    """An error shown to the user as one message, without a traceback."""

    exit_code = Exit.USAGE


class UsageError(RunError, ValueError):
    """A wrong argument or config."""


class DataChangedError(RunError):
    """The data of a resumed run differs from the data it started with."""

    exit_code = Exit.DATA


class NumericError(RunError):
    """Several steps in a row had losses or gradients that are not finite."""

    exit_code = Exit.NUMERIC


class LockedError(RunError):
    """Another process is training in the same work folder."""

    exit_code = Exit.LOCKED


class CheckpointError(RunError):
    """A checkpoint could not be written, is damaged, or holds more than data."""

    exit_code = Exit.IO


class WriteError(RunError):
    """A file could not be written: no space left, a quota, a disk that is read-only."""

    exit_code = Exit.IO


class WorkerError(RunError):
    """A process that loads data died, failed or did not answer."""

    exit_code = Exit.SYSTEM


class OutOfMemoryError(RunError):
    """A device or the machine has no memory left."""

    exit_code = Exit.SYSTEM


class RankError(RunError):
    """Another process of the training died or did not answer."""

    exit_code = Exit.SYSTEM


TEMPORARY = ".tmp"
# What a full disk, a quota, a limit of the file size and a read-only disk say.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within the context, what the disk refuses becomes one message that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise write_error(error, path) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; what is written there takes its place, whole or not at all.

    A power cut may undo it.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    with writing(path):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_error(error: OSError, path: object = None) -> WriteError:
    """A refused write in words."""
    name = path or error.filename or "a file"
    return WriteError(
        f"{name} could not be written: {error.strerror or error}. What was written before is "
        f"whole. Free space, then start again (a training: with --resume)"
    )


class Stopped(SystemExit):
    """The run was asked to stop by a signal, has saved its state, and ends."""

    def __init__(self, signum: int, code: int | None = None) -> None:
        super().__init__(128 + signum if code is None else int(code))
        self.signal = signal.Signals(signum)
