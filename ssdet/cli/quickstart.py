"""Train on generated data, with and without unlabeled images, and write a report.

For detection and for segmentation, a supervised baseline and a teacher-student model learn from
the same labels for the same number of iterations; then both are compared on images that neither
has seen. Started again, it reuses finished runs and resumes interrupted ones.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..report.run_folder import Role, Run
    from .jobs import Job

TASKS = ("detection", "segmentation")


@dataclass
class Training:
    """A job of the quickstart, and its place in the comparison."""

    task: str
    role: Role
    job: Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet quickstart`."""
    parser.add_argument(
        "--out", default="quickstart", help="folder of runs and report (default: %(default)s)"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument(
        "--seeds", "--seed", nargs="+", type=int, default=[0], metavar="SEED",
        help="one or more seeds; the report has the mean and each of them (default: 0)",
    )  # fmt: skip
    parser.add_argument("--iterations", type=int, help="length of the runs (fewer for a quick try)")
    parser.add_argument(
        "--parallel", type=int, default=min(os.cpu_count() or 1, 2), metavar="N",
        help="trainings at a time; they share the cores (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--configs", type=Path, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Train what is not trained yet, print the comparison, write the page."""
    from ..exits import UsageError
    from .jobs import run_jobs

    for name, least in (("iterations", 4), ("parallel", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UsageError(f"--{name} {value}: it must be at least {least}")
    started = time.monotonic()
    tasks = " and ".join(args.tasks)
    # Reading the configs imports MMEngine, which takes seconds.
    print(f"ssdet quickstart: {tasks} on scenes of handwritten digits", flush=True)
    trainings = _trainings(args)
    waiting = [t.job for t in trainings if not t.job.finished]
    _announce(trainings, waiting, args)
    try:
        run_jobs(waiting, args.parallel)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes from here.", file=sys.stderr)
        return 130
    report = _report(trainings, Path(args.out), shlex.join(["ssdet", *sys.argv[1:]]))
    minutes = (time.monotonic() - started) / 60
    print(f"\nDone in {minutes:.1f} minutes. The report, to open in a browser:\n  {report}")
    return 0


def _trainings(args: argparse.Namespace) -> list[Training]:
    """All trainings that are asked for, the longer ones first: the others fill the rest."""
    folder = args.configs or _configs()
    roles: tuple[Role, ...] = ("semi", "baseline")
    return [
        Training(task, role, _job(folder / f"{task}_{role}.py", f"{task}/{role}-seed{seed}", args))
        for seed in args.seeds
        for role in roles
        for task in args.tasks
    ]


def _job(config: Path, name: str, args: argparse.Namespace) -> Job:
    from ..engine.configs import load_config
    from .jobs import Job

    # The configs derive everything that hangs on the length (burn-in, schedules) from one variable.
    changes = {} if args.iterations is None else {"iterations": args.iterations}
    content = load_config(str(config), changes)
    return Job(
        name,
        config,
        Path(args.out) / name,
        int(name.rpartition("seed")[2]),
        content.train_cfg.max_iters,
        content.train_cfg.val_interval,
        text=content.pretty_text,
        options=[f"{key}={value}" for key, value in changes.items()],
    )


def _configs() -> Path:
    """The quickstart's configs: installed with the package, or in the checkout around it."""
    from ..engine.configs import shipped_configs
    from ..exits import RunError

    places = [shipped_configs("ssdet"), Path(__file__).parents[2] / "configs"]
    for place in places:
        if place is not None and (place / "quickstart").is_dir():
            return place / "quickstart"
    looked = ", ".join(str(place) for place in places if place)
    raise RunError(f"the quickstart's configs are not in {looked}; install ssdet again")


def _announce(
    trainings: Sequence[Training], waiting: Sequence[Job], args: argparse.Namespace
) -> None:
    ready = len(trainings) - len(waiting)
    text = f"{len(trainings)} trainings in {args.out}/"
    text += f", {ready} of them finished earlier" if ready else ""
    if waiting:
        text += (
            f"; {min(args.parallel, len(waiting))} at a time, the first output takes a few seconds"
        )
    print(text + ".", flush=True)
    for training in trainings:
        if training.job in waiting and training.job.done:
            print(f"  {training.job.name} goes on at iteration {training.job.done}.", flush=True)


def _report(trainings: Sequence[Training], out: Path, command: str) -> Path:
    """Print the table and write the page; baselines first, as a reader expects."""
    from ..report import read_run, write_report

    ordered = sorted(trainings, key=lambda t: (TASKS.index(t.task), t.role, t.job.seed))
    runs = [read_run(t.job.folder, name=t.job.name, role=t.role) for t in ordered]
    _print_table(runs)
    return write_report(runs, out / "report.html", commands=[command]).resolve()


def _print_table(runs: Sequence[Run]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..report.figures import table_rows
    from ..report.summary import tasks_of

    table = Table("Task", "Model", "Metric")
    table.add_column("Value", justify="right")
    table.add_column("Gain", justify="right")
    for task in tasks_of(runs):
        for number, row in enumerate(table_rows(task)):
            each = f" ({', '.join(row['each'])})" if row["each"] else ""
            first = (task.metric.task, task.metric.name) if number == 0 else ("", "")
            table.add_row(first[0], row["name"], first[1], row["value"] + each, row["gain"] or "")
        table.add_section()
    print()
    Console().print(table)
