"""Fuse the labels of several models, each weighed by what it is worth.

SOURCES are data sets with boxes (COCO with scores, VOC, YOLO, ...), lists of COCO results, or
folders of label maps (.png) or of probabilities (.npy). --truth names labeled images, on which the
reliability of each source is measured. The output is a COCO file with scores, or a folder of maps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

BOX_MODES, MAP_MODES = ("wbf", "vote", "union"), ("majority", "mean", "dawid-skene")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet fuse`."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="see above")
    parser.add_argument(
        "--out", type=Path, required=True, help="the json file, or the folder of the maps"
    )
    parser.add_argument(
        "--mode", choices=(*BOX_MODES, *MAP_MODES),
        help="boxes: wbf (weighted means; default), vote, union; maps: majority (default), mean "
        "(of probabilities), dawid-skene (confusions of each source)",
    )  # fmt: skip
    parser.add_argument(
        "--truth", type=Path, metavar="T", help="labeled images: how reliable is each source?"
    )
    parser.add_argument(
        "--iou", type=float, default=0.55, metavar="X",
        help="boxes: overlap from which two of them are one object (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--votes", type=int, default=2, metavar="N",
        help="--mode vote: sources that must have found an object (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--min-score", type=float, default=0.0, metavar="X",
        help="leave out boxes below this score; pixels below this probability become unknown",
    )  # fmt: skip
    parser.add_argument(
        "--like", type=Path, metavar="FILE",
        help="COCO file with the images and categories of lists of results (default: "
        "NAME.images.json beside each of them)",
    )  # fmt: skip
    parser.add_argument("--classes", type=int, metavar="N", help="maps: number of classes")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def run(args: argparse.Namespace) -> int:
    """Fuse, and say what each source is worth and what was written."""
    _check(args)
    return _maps(args) if _are_maps(args) else _boxes(args)


def _boxes(args: argparse.Namespace) -> int:
    from ..labeling.fuse import fuse

    result = fuse(
        args.sources, args.out, mode=args.mode or "wbf", min_iou=args.iou, votes=args.votes,
        min_score=args.min_score, truth=args.truth, like=args.like, force=args.force,
    )  # fmt: skip
    for number, source in enumerate(result.sources):
        line = f"{source.name}: {len(source.rows)} images, {len(source)} boxes"
        if result.worth:
            worth = result.worth[number]
            line += (
                f"; on {worth.images} labeled images precision {worth.precision:.2f}, "
                f"recall {worth.recall:.2f}"
            )
        print(line)
    print(
        f"{args.out}: {result.images} images, {result.boxes} boxes of {len(result.classes)} "
        f"classes ({', '.join(result.classes)})"
    )
    return 0


def _maps(args: argparse.Namespace) -> int:
    from ..labeling.fuse_folders import fuse_folders

    result = fuse_folders(
        args.sources, args.out, classes=args.classes, mode=args.mode or "majority",
        min_score=args.min_score, truth=args.truth, force=args.force,
    )  # fmt: skip
    if args.truth:
        for source, row in zip(args.sources, result.reliability, strict=True):
            print(f"{source}: precision {', '.join(f'{value:.2f}' for value in row)}")
    print(f"{args.out}: {result.images} label maps, {100 * result.unknown:.1f} % of pixels unknown")
    return 0


def _are_maps(args: argparse.Namespace) -> bool:
    return args.mode in MAP_MODES or (args.mode is None and args.classes is not None)


def _check(args: argparse.Namespace) -> None:
    from ..exits import UsageError

    for name, value in {"--iou": args.iou, "--min-score": args.min_score}.items():
        if not 0 <= value <= 1:
            raise UsageError(f"{name} {value}: not in 0 ... 1")
    if not 1 <= args.votes <= max(len(args.sources), 2):
        raise UsageError(f"--votes {args.votes}: 1 to {len(args.sources)}, one for each source")
    if _are_maps(args) and (args.classes is None or not 2 <= args.classes < 255):
        raise UsageError("maps: say how many classes there are with --classes N, 2 to 254")
    if args.classes is not None and args.mode in BOX_MODES:
        raise UsageError(f"--classes is for label maps, and --mode {args.mode} for boxes")
    if _are_maps(args):
        for source in args.sources:
            if not source.is_dir():
                raise UsageError(f"{source}: no folder; maps lie in one folder for each source")
