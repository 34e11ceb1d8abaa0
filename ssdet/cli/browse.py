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
    parser.add_argument(
        "run", metavar="RUN",
        help="a run folder (its best checkpoint, else its newest), a checkpoint in one, or a "
        "config with a CHECKPOINT",
    )  # fmt: skip
    parser.add_argument(
        "checkpoint", nargs="?", metavar="CHECKPOINT", help="a checkpoint, where RUN is a config"
    )
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
    print(f"ssdet browse {args.run}: loading PyTorch and MMDetection", flush=True)
    import torch
    from rich.progress import Progress

    from ..engine.configs import load_config
    from ..report.browse import browse, check_folder, load_pair
    from .launch import parse_options

    path, checkpoint, images = _given(args)
    check_folder(args.out)
    config = load_config(path, parse_options(args.cfg_options))
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    pair = load_pair(config, checkpoint, images, device)
    about = {
        "config": path,
        "checkpoint": checkpoint,
        "command": shlex.join(["ssdet", *sys.argv[1:]]),
        "quality": _quality(Path(checkpoint)),
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


def _given(args: argparse.Namespace) -> tuple[str, str, str | None]:
    """Config, checkpoint and images; a run folder brings the first two."""
    from ..engine.checkpoint_place import run_at
    from ..exits import UsageError

    found = run_at(args.run, named="ssdet browse")
    if found is None and args.checkpoint is None:
        raise UsageError(
            f"ssdet browse {args.run}: it is no run folder, and no CHECKPOINT is given. Allowed: "
            "ssdet browse RUN [IMAGES], or ssdet browse CONFIG CHECKPOINT [IMAGES]"
        )
    if found is None:
        check_file("checkpoint", args.checkpoint)
        return args.run, args.checkpoint, args.images
    if args.images is not None:
        raise UsageError(
            f"ssdet browse {args.run} {args.checkpoint} {args.images}: a run folder brings its own "
            "checkpoint. Allowed: ssdet browse RUN [IMAGES], or ssdet browse CONFIG CHECKPOINT "
            "[IMAGES]"
        )
    config, checkpoint = found
    return str(config), str(checkpoint), args.checkpoint


def _quality(checkpoint: Path) -> Any:
    """What the last validation of the run measured, if it stands beside the checkpoint."""
    from ..report.quality import read_quality

    return read_quality(checkpoint.resolve().parent.parent)
