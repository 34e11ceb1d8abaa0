"""Check data and config before training.

Give a config, or data: a COCO .json, a data.yaml, a folder. Files, annotations, splits, views and
settings are checked; nothing is written. Exit code 0: fine, or warnings only; 65: errors.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exits import UsageError
from .reading import FORMATS, add_reading_arguments, reading_options

if TYPE_CHECKING:
    from rich.console import Console

    from ..doctor import Findings
    from ..formats import Guess, Issue

_SHOWN = 3
_CLASSES = 40
_COLORS = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet doctor`."""
    parser.add_argument("target", help="a config, or labeled data (file or folder)")
    parser.add_argument(
        "--unlabeled", type=Path, metavar="U", help="unlabeled images: folder, list, json or glob"
    )
    parser.add_argument("--val", type=Path, metavar="V", help="validation data, given like TARGET")
    parser.add_argument(
        "--format", choices=(*FORMATS, "images"),
        help="format of the data, if the guess is wrong; 'images': without annotations",
    )  # fmt: skip
    parser.add_argument(
        "--full",
        action="store_true",
        help="decode every image, and find pictures that look alike (slow)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="of a config: do not build the model and try it out"
    )
    parser.add_argument("--json", action="store_true", help="print all findings as JSON")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="number of processes (default: one per core)"
    )
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
        help="change values of the config, as in `ssdet train`",
    )  # fmt: skip
    add_reading_arguments(parser, strict="treat warnings as errors")


def run(args: argparse.Namespace) -> int:
    """Examine, print, and return the exit code."""
    import json

    from rich.console import Console

    from ..exits import Exit

    notes = Console(stderr=True)
    with _quiet(_is_config(args.target)), _bar(notes) as progress:
        findings = _examine(args, {"workers": args.workers, "progress": progress})
    if args.json:
        print(json.dumps(findings.as_json(), indent=2))
    else:
        show(findings, Console(soft_wrap=True, highlight=False))
    return int(Exit.DATA) if findings.failed(strict=args.strict) else 0


def check_before_training(config: Any, *, strict: bool = False) -> Callable[[], None]:
    """Total batch, quick checks and weights as a function to call once the runner is built.

    Errors are raised, warnings printed once by the first process. `strict` changes the config so
    that its data sets skip nothing.
    """
    from ..doctor import make_strict

    if strict:
        make_strict(config)
    return partial(_check, config, strict)


def _check(config: Any, strict: bool) -> None:
    from mmengine.dist import get_world_size, is_main_process
    from rich.console import Console

    from ..doctor import quick_check
    from ..engine.download import fetch_all
    from ..total_batch import check_total_batch

    check_total_batch(config, get_world_size())
    findings = quick_check(config, strict=strict)
    findings.found = findings.of("warning")
    if findings.found and is_main_process():
        show(findings, Console(stderr=True, soft_wrap=True, highlight=False), title="ssdet train")
    fetch_all(config)


def show(findings: Findings, console: Console, title: str = "ssdet doctor") -> None:
    """Print each kind of finding with its count, the first ones, and what to do."""
    for group in findings.groups():
        first = group[0]
        times = sum(finding.times for finding in group)
        count = f" ({times} times)" if times > 1 else ""
        console.print(f"{first.severity}: ", style=_COLORS[first.severity], end="")
        console.print(f"{first.subject}: {first.what}{count}", style="bold", markup=False)
        for finding in group[:_SHOWN]:
            console.print(f"    {_line(finding)}", markup=False)
        if times > _SHOWN:
            console.print(f"    ... and {times - _SHOWN} more (all of them: --json)")
        for advice in list(dict.fromkeys(finding.advice for finding in group))[:_SHOWN]:
            console.print(f"  > {advice}", markup=False)
    if title == "ssdet doctor":
        for name, text in findings.taken_for.items():
            console.print(f"{name}: {text}", markup=False)
        _show_classes(findings, console)
        for name, text in findings.looked_at.items():
            console.print(f"looked at {name}: {text}", style="dim", markup=False)
    counts = [findings.count(severity) for severity in ("error", "warning", "info")]
    words = ("error", "warning", "note")
    told = [f"{n} {word}{'s' * (n != 1)}" for n, word in zip(counts, words, strict=True) if n]
    console.print(f"{title}: {', '.join(told) or 'nothing wrong was found'}", style="bold")


def _is_config(target: str) -> bool:
    return target.endswith(".py") or "::" in target


def _show_classes(findings: Findings, console: Console) -> None:
    """How often each class is there: one row for it, a column for each data set."""
    if not findings.classes:
        return
    names = list(dict.fromkeys(name for table in findings.classes.values() for name in table))
    rows = [["class", *findings.classes]]
    for name in names[:_CLASSES]:
        counts = [table.get(name) for table in findings.classes.values()]
        rows.append([name, *("-" if n is None else n.told for n in counts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print("  ".join(cells).rstrip(), style="" if number else "bold", markup=False)
    if len(names) > _CLASSES:
        console.print(f"... and {len(names) - _CLASSES} more classes (all of them: --json)")


def _line(finding: Issue) -> str:
    allowed = f"; allowed: {finding.allowed}" if finding.allowed else ""
    return f"{finding.where}: {finding.found}{allowed}"


def _examine(args: argparse.Namespace, pool: dict[str, Any]) -> Findings:
    from .. import doctor

    path = Path(args.target)
    if _is_config(args.target):
        from ..engine.configs import load_config
        from .launch import parse_options

        config = load_config(args.target, parse_options(args.cfg_options))
        findings = doctor.examine_config(config, full=args.full, **pool)
        if not args.quick and not findings.of("error"):
            doctor.try_training(config, args.target, findings)
        return findings
    reading = reading_options(args)
    return doctor.examine_data(_parts(args, path), full=args.full, **pool, **reading)


def _parts(args: argparse.Namespace, path: Path) -> dict[Any, Guess]:
    """Role -> data: as it is named, or as it is recognized."""
    from ..formats import Guess, guess

    if not path.exists():
        raise UsageError(
            f"{path}: no such file or folder; give a config (.py), an annotation file, or a "
            f"folder of images"
        )
    form = args.format or ("masks" if args.masks else None)
    whole = Guess(form, path, "") if form else guess(path)
    found = whole if form else whole.part(args.split)
    parts: dict[Any, Guess] = {"unlabeled" if found.format == "images" else "labeled": found}
    if args.unlabeled is not None:
        parts["unlabeled"] = Guess("images", args.unlabeled, "")
    if args.val is not None:
        other = Guess(form, args.val, "") if form else guess(args.val)
        parts["validation"] = other.validation or other
    elif whole.validation is not None and args.split is None:
        parts["validation"] = whole.validation
    return parts


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Any]:
    """A progress bar on the error stream, if that is a terminal."""
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield progress


@contextlib.contextmanager
def _quiet(is_config: bool) -> Iterator[None]:
    """Keep the messages of libraries off the output: what matters is a finding."""
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        if is_config:
            stack.enter_context(_errors_only())
        yield


@contextlib.contextmanager
def _errors_only() -> Iterator[None]:
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
