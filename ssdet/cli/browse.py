"""Show pseudo labels in pictures: one page, with a live threshold, for unlabeled images.

Each image is shown as it is, as the teacher sees it (weak view) and as the student sees it (strong
view), with what was kept, ambiguous, ignored and dropped. The page opens from the disk.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from .train import check_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet browse`."""
    parser.add_argument("config", help="the config of the run, or config.py of its folder")
    parser.add_argument("checkpoint", help="a checkpoint of the run")
    parser.add_argument(
        "images", nargs="?", metavar="IMAGES",
        help="a folder, a glob in quotes, a list or a COCO json (default: the config's unlabeled "
        "images)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("browse"), metavar="DIR",
        help="folder of the page and its pictures (default: browse/)",
    )  # fmt: skip
    parser.add_argument(
        "--number", type=int, default=200, metavar="N",
        help="images to show, spread evenly over all (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0,
        help="of the random views: the same seed shows the same ones (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, default=640, metavar="PIXELS",
        help="longer side of the pictures (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--device", help="cuda, cuda:1, cpu (default: the first GPU, else the CPU)")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
        help="change values of the config, as in `ssdet train`",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from ..exits import UsageError

    for name, least in (("number", 1), ("size", 64)):
        if getattr(args, name) < least:
            raise UsageError(f"--{name} {getattr(args, name)}: it must be at least {least}")
    check_file("checkpoint", args.checkpoint)
    print(f"ssdet browse {args.config}: loading PyTorch and MMDetection", flush=True)
    import torch
    from rich.progress import Progress

    from ..engine.configs import load_config
    from ..report.browse import browse, check_folder, load_pair
    from .launch import parse_options

    check_folder(args.out)
    config = load_config(args.config, parse_options(args.cfg_options))
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    pair = load_pair(config, args.checkpoint, args.images, device)
    about = {
        "config": args.config,
        "checkpoint": args.checkpoint,
        "command": shlex.join(["ssdet", *sys.argv[1:]]),
        "quality": _quality(Path(args.checkpoint)),
    }
    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("images", total=None)
        page = browse(
            pair, args.out, number=args.number, seed=args.seed, size=args.size, about=about,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    count = min(args.number, len(pair.images))
    print(f"{count} of {len(pair.images)} unlabeled images, iteration {pair.iteration:,}")
    if pair.left_out:
        print(f"  without {', '.join(pair.left_out)}: they act in a training only")
    print(f"The page, to open in a browser:\n  {page.resolve()}")
    return 0


def _quality(checkpoint: Path) -> Any:
    """What the last validation of the run measured, if it stands beside the checkpoint."""
    from ..report.quality import read_quality

    return read_quality(checkpoint.resolve().parent.parent)
