"""How a run ends: the exit codes and the errors that carry them.

A caller (a scheduler, a Makefile, a person) can tell from the code alone what to do next.
"""

from __future__ import annotations

import signal
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `ssdet` command, after BSD's sysexits."""

    OK = 0
    USAGE = 2  # wrong argument or config
    DATA = 65  # the data does not match the config
    NUMERIC = 70  # losses or gradients stopped being finite
    LOCKED = 73  # another run uses this folder
    IO = 74  # a file could not be written or read


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


class Stopped(SystemExit):
    """The run was asked to stop by a signal, has saved its state, and ends."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signal = signal.Signals(signum)
