"""Say which images to label next, which labels look wrong, and which images to look at.

Writes OUT/audit.html (pictures), OUT/audit.json, and the images to label: OUT/label-next.txt, one a
line, and OUT/label-next.json for Label Studio. Without a checkpoint the starting weights of the
config choose the images; labels are not judged.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .train import check_file

if TYPE_CHECKING:
    from rich.console import Console

    from ..labeling.audit import Asked, Audit

_PARTS = ("next", "labels", "data")
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet audit`."""
    parser.add_argument(
        "config", metavar="RUN",
        help="a run folder (its best checkpoint, else its newest), a checkpoint in one, or a "
        "config",
    )  # fmt: skip
    parser.add_argument(
        "checkpoints", nargs="*", metavar="CHECKPOINT",
        help="one or more checkpoints of a config; none: before there is a model",
    )  # fmt: skip
    parser.add_argument(
        "--trained-on", nargs="+", default=[], metavar="LIST",
        help="for each checkpoint the list of labeled images that it has learned from: a label is "
        "then judged by the others",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", choices=_PARTS, default=list(_PARTS), metavar="PART",
        help="next (what to label), labels (which look wrong), data (look-alikes, leaks, shift); "
        "default: all three",
    )  # fmt: skip
    parser.add_argument(
        "--count", type=int, default=50, metavar="N", help="images to label (default: %(default)s)"
    )
    parser.add_argument(
        "--unlabeled", metavar="U", help="other unlabeled images: a folder, a list, a COCO json"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="look at N unlabeled images at most, taken evenly"
    )
    parser.add_argument(
        "--score", type=float, default=0.2, metavar="S",
        help="score from which a box counts as an object (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--model", choices=("teacher", "student"), default="teacher",
        help="which model judges (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--device", help="such as cuda:0 or cpu (default: a GPU, if there is one)")
    parser.add_argument(
        "--out", type=Path, default=Path("audit"), help="output folder (default: audit/)"
    )
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
        help="change values of the config, as in `ssdet train`",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Audit, write the files, and say what was found."""
    from ..engine.checkpoint_place import run_at

    found = run_at(args.config, args.model, named="ssdet audit")
    if found is not None:
        args.config = str(found[0])
        args.checkpoints = args.checkpoints or [str(found[1])]
    for path in (*args.checkpoints, *args.trained_on):
        check_file("checkpoint" if path in args.checkpoints else "--trained-on", path)
    from rich.console import Console

    from ..engine.configs import load_config
    from ..labeling.audit import audit, write_audit
    from .doctor import _bar, _quiet
    from .launch import parse_options

    config = load_config(args.config, parse_options(args.cfg_options))
    with _quiet(True), _bar(Console(stderr=True)) as progress:
        result = audit(config, args.config, args.checkpoints, _asked(args), progress)
        page = write_audit(result, args.out, command=shlex.join(["ssdet", *sys.argv[1:]]))
    show(result, Console(soft_wrap=True, highlight=False), str(args.out))
    print(f"The pictures are in {page.resolve()}")
    return 0


def _asked(args: argparse.Namespace) -> Asked:
    import torch

    from ..labeling.audit import PARTS, Asked

    return Asked(
        parts=tuple(part for part in PARTS if part in args.only),
        count=args.count,
        role=args.model,
        unlabeled=args.unlabeled,
        limit=args.limit,
        trained_on=tuple(args.trained_on),
        device=args.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        score=args.score,
    )


def show(result: Audit, console: Console, out: str) -> None:
    """Print what was found, the first ones of each kind, and what to do next."""
    from ..labeling.audit.words import next_steps, story, summary

    console.print(story(result), markup=False)
    for title, lines in summary(result):
        console.print(f"{title} ({len(lines)})", style="bold", markup=False)
        for line in lines[:_SHOWN]:
            console.print(f"    {line}", markup=False)
        if len(lines) > _SHOWN:
            console.print(f"    ... and {len(lines) - _SHOWN} more ({out}/audit.json)")
    for note in result.notes:
        console.print(f"note: {note}", markup=False)
    console.print("next steps", style="bold")
    for number, step in enumerate(next_steps(result, out), 1):
        console.print(f"  {number}. {step}", markup=False)
