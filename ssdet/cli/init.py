"""Write a config that trains on your data, from a supervised config and a method.

BASE is any config of MMDetection or MMSegmentation (path, mmdet::..., mmseg::...) or a short name.
Labels may be COCO json, VOC, YOLO, LabelMe, CVAT, Label Studio, Hugging Face, or label maps;
unlabeled images a folder, a glob in quotes, a list, or a COCO json. Nothing is written into the
data: converted labels and lists go into a folder beside the config, config_data/ for config.py.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from .arguments import positive
from .reading import FORMATS, add_reading_arguments, reading_options


class _List(argparse.Action):
    """`--list`: the names, and nothing else."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from ..recipes.table import listing

        print(listing(), end="")
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet init`."""
    parser.add_argument("base", metavar="BASE", help="supervised config or short name (--list)")
    parser.add_argument("--list", action=_List, nargs=0, help="list methods and short names")
    parser.add_argument(
        "--method", default="auto", metavar="M",
        help="a name of --list (default: auto, the one recommended for the model of BASE)",
    )  # fmt: skip
    parser.add_argument("--labeled", required=True, type=Path, metavar="L", help="labeled data")
    parser.add_argument(
        "--unlabeled", default="", metavar="U",
        help="images without labels (default: what `ssdet split` wrote beside L, or `unlabeled:` "
        "of a data.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--val", type=Path, metavar="V",
        help="labeled data to validate on (default: the part of L that is called val; if there is "
        "none, a fifth of the labeled images is held out)",
    )  # fmt: skip
    parser.add_argument("--val-images", type=Path, metavar="DIR", help="folder of V's images")
    parser.add_argument("--val-masks", type=Path, metavar="DIR", help="folder of V's label maps")
    parser.add_argument("--val-split", metavar="NAME", help="part of V (of L, if V is not given)")
    parser.add_argument(
        "--external", type=Path, metavar="FILE",
        help="labels of another model for the unlabeled images, for --method external",
    )  # fmt: skip
    parser.add_argument(
        "--tags", type=Path, metavar="FILE",
        help='classes of whole images, {"image": ["class", ...]}, for --method tags',
    )  # fmt: skip
    parser.add_argument(
        "--only", type=Path, metavar="FILE",
        help="list of the labeled images of L to use, as `ssdet split` writes it",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=FORMATS, help="format of L and V, if it is not recognized"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("config.py"),
        help="the config to write (default: %(default)s)",
    )
    parser.add_argument(
        "--gpus", type=positive, default=1, metavar="N",
        help="GPUs (processes) to train with; other settings follow (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--batch", type=positive, nargs=2, metavar=("L", "U"),
        help="labeled and unlabeled images per process and iteration",
    )  # fmt: skip
    parser.add_argument("--iterations", type=positive, metavar="N", help="length of the training")
    parser.add_argument(
        "--weights", default="auto", metavar="W",
        help="what to start from: coco, imagenet, none, a file, or a name such as mmdet://NAME "
        "(default: coco, where the base was trained on it; else what the base names)",
    )  # fmt: skip
    parser.add_argument(
        "--no-pretrained", dest="weights", action="store_const", const="none",
        help="the same as --weights none: nothing is downloaded",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite the config")
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the config; print what is in it and the next commands."""
    from ..formats.write import may_write, write_text
    from ..recipes.labeled import Data
    from ..recipes.make import make_config

    may_write(args.out, force=args.force)
    options = reading_options(args)
    images, split = options.pop("images", None), options.pop("split", None)
    data = Data(
        args.labeled, args.unlabeled, args.val,
        format=args.format, only=args.only, split=split, val_split=args.val_split,
        images=images, val_images=args.val_images, val_masks=args.val_masks, reading=options,
        external=args.external, tags=args.tags,
    )  # fmt: skip
    written = make_config(
        args.base, args.method, data,
        side=args.out.with_name(f"{args.out.stem}_data"), gpus=args.gpus,
        batch=tuple(args.batch) if args.batch else None,
        iterations=args.iterations, weights=args.weights,
        title=f"Written by: ssdet {shlex.join(sys.argv[1:])}" if sys.argv[1:2] == ["init"] else "",
    )  # fmt: skip
    write_text(args.out, written.text, force=args.force)
    print(f"{args.out}: {written.method} for {args.base}\n  {written.summary}")
    for note in written.notes:
        print(f"  note: {note}")
    config = shlex.quote(str(args.out))
    gpus = f" --gpus {args.gpus}" if args.gpus > 1 else ""
    print(f"next:\n  ssdet doctor {config}\n  ssdet train {config}{gpus}")
    return 0
