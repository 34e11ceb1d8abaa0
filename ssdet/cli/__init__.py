"""The `ssdet` command: `ssdet COMMAND ...`, one module of this package for each command.

A command's module has `add_arguments(parser)` and `run(args) -> int`; it imports heavy things
(torch, mmdet) inside `run`, so that `--help` and typos respond at once. Here belongs what reads
arguments and prints. Not here: anything that Python code would call without a terminal.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import difflib
import importlib.util
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import NoReturn

from ..exits import DISK, RunError, write_error

# The command's name, its module, and the one line that `ssdet --help` shows.
COMMANDS = {
    "init": ("init", "write a config that trains on your data"),
    "train": ("train", "train a model from a config, or resume an interrupted run"),
    "rerun": ("rerun", "train a run again, and say whether the same scores come out"),
    "test": ("test", "evaluate the teacher or the student of a checkpoint"),
    "label": ("label", "label a folder of images with a checkpoint"),
    "rounds": ("rounds", "train, label, and train again on the labels"),
    "export": ("export", "export the teacher as a plain model of MMDetection or MMSegmentation"),
    "doctor": ("doctor", "check data and config before training"),
    "audit": ("audit", "say what to label next, and which labels look wrong"),
    "env": ("env", "print versions, devices and the backend of each operator"),
    "quickstart": ("quickstart", "train on generated data and write a report, in minutes"),
    "split": ("split", "split a data set into labeled and unlabeled images"),
    "convert": ("convert", "convert a data set to COCO json or label maps"),
    "fuse": ("fuse", "fuse the labels of several models into one data set"),
    "browse": ("browse", "show pseudo labels in pictures, with a live threshold"),
    "report": ("report", "write an HTML report about one or more runs"),
    "completion": ("completion", "print the completion script of bash, zsh or fish"),
}


def command(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, and end the process; once it is over, Ctrl-C no longer changes its code."""
    # First in, so last of what Python does at its end. After it, only `SIG_IGN` outlasts Python.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    code = 128 + signal.SIGINT
    with contextlib.suppress(KeyboardInterrupt):
        code = main(arguments)
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    if _is_one_of_several():
        _exit_at_once(code)
    sys.exit(code)


def _is_one_of_several() -> bool:
    group = sys.modules.get("torch.distributed")
    return group is not None and group.is_available() and group.is_initialized()


def _exit_at_once(code: int) -> NoReturn:
    """End the process without taking Python down: a thread of the process group may abort that.

    Such a thread wants to run Python once more, to delete an object, and dies of it when there is
    none. To leave the group first does not help, since the model holds it, too.
    """
    threading._shutdown()  # type: ignore[attr-defined] # what Python does first: wait for threads
    atexit._run_exitfuncs()
    _flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (see `ssdet.exits.Exit`)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _leaving_at_once(arguments[:1]):
            return _main(arguments)
    except KeyboardInterrupt:
        _say("\nInterrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        if not _unread():
            traceback.print_exc()
            return 1
        return 128 + getattr(signal, "SIGPIPE", 13)
    finally:
        _flush()


@contextlib.contextmanager
def _leaving_at_once(command: Sequence[str]) -> Iterator[None]:
    """While a training is being prepared, Ctrl-C is one line: nothing has been written yet.

    An exception in the midst of an import is not: libraries catch it, or report it from callbacks.
    The run itself has a handler of its own, which saves.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or command not in (["train"], ["test"]):
        yield
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: object) -> None:
    os.write(2, b"\nInterrupted\n")
    os._exit(128 + number)


def _say(text: str) -> None:
    """Print an error; where that goes may be as full as the disk."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _say_once(text: str) -> None:
    """The same, unless another process of the same training has said so."""
    from .processes import is_new

    with is_new(text) as new:
        if new:
            _say(text)


def _unread() -> bool:
    """Whether nobody reads the output any more: `ssdet init --list | head`."""
    try:
        sys.stdout.write("\n")  # an empty text would not be sent
        sys.stdout.flush()
    except BrokenPipeError:
        return True
    return False


def _flush() -> None:
    """Empty the buffers now: Python would do it at the exit, and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _main(arguments: list[str]) -> int:
    available = {name: entry for name, entry in COMMANDS.items() if _exists(entry[0])}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(available))
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(importlib.import_module("ssdet.version").__version__)
        return 0
    name = arguments[0]
    if name not in available:
        close = difflib.get_close_matches(name, available, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        print(f"ssdet: no command {name!r}{hint}\n\n{_overview(available)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f".{available[name][0]}", __package__)
    parser = argparse.ArgumentParser(f"ssdet {name}", description=module.__doc__)
    module.add_arguments(parser)
    args = parser.parse_args(arguments[1:], argparse.Namespace(command_line=arguments))
    return _run(module.run, args, f"ssdet {name}")


def _run(run, args: argparse.Namespace, name: str) -> int:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Run a command; an error with an exit code is one message, others a traceback."""
    try:
        return int(run(args) or 0)
    except BrokenPipeError:
        raise  # of the output, as a rule: `main` looks
    except (RunError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in DISK:
            traceback.print_exc()
            return 1
        told = error if isinstance(error, RunError) else write_error(error)
        if os.environ.get("SSDET_TRACEBACK"):
            traceback.print_exc()
        _say_once(f"{name}: {told}")
        return int(told.exit_code)
    except Exception:
        traceback.print_exc()
        return 1


def _overview(available: dict[str, tuple[str, str]]) -> str:
    lines = "\n".join(f"  {name:<12}{text}" for name, (_, text) in available.items())
    return (
        "usage: ssdet COMMAND [options]\n\n"
        "Semi-supervised detection and segmentation for MMDetection and MMSegmentation.\n\n"
        f"commands:\n{lines}\n\n'ssdet COMMAND --help' lists the options of a command."
    )


def _exists(module: str) -> bool:
    return importlib.util.find_spec(f"{__package__}.{module}") is not None
