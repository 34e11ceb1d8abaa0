"""Write one self-contained HTML report about one or more runs, finished or not."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet report`."""
    parser.add_argument(
        "work_dirs", nargs="+", metavar="WORK_DIR",
        help="a run folder, or a folder of run folders; runs with the same metric are compared",
    )  # fmt: skip
    parser.add_argument(
        "--out", help="output file (default: WORK_DIR/report.html, or report.html for several runs)"
    )
    parser.add_argument("--title", help="title of the page")


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from ..exits import UsageError
    from ..report import collect, write_report

    for folder in args.work_dirs:
        if not collect([folder]):
            raise UsageError(
                f"{folder}: no run folder here or below (one has run.json or metrics.jsonl); "
                "give the --work-dir of a training"
            )
    default = Path(args.work_dirs[0]) if len(args.work_dirs) == 1 else Path()
    command = shlex.join(["ssdet", "report", *args.work_dirs])
    out = write_report(
        collect(args.work_dirs),
        args.out or default / "report.html",
        title=args.title,
        commands=[command],
    )
    print(f"The report is {out.resolve()}")
    return 0
