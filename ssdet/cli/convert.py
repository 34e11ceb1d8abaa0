"""Write a data set of another tool as what MMDetection or MMSegmentation reads.

--to coco writes one json file, whose file names start in the folder that is printed at the end;
images are not copied. --to masks writes one palette PNG for each image, `classes.txt`, and a list
with lines `image mask`, called as --split is, or `list.txt`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .split import FORMATS, add_reading_arguments, reading_options

if TYPE_CHECKING:
    from ..formats import Annotations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet convert`."""
    formats = (*FORMATS, "cityscapes-instances")
    parser.add_argument("format", choices=formats, help="what the data set is")
    parser.add_argument("source", type=Path, help="annotation file or folder of the data set")
    parser.add_argument("--to", choices=("coco", "masks"), required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="the json file, or the folder of the label maps"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Convert and say what was written."""
    from ..formats import components, read, write_coco

    data = read(args.source, args.format, strict=args.strict, **reading_options(args))
    if args.to == "masks":
        return _masks(args, data)
    if data.encoding is not None:
        data = components(data)
    write_coco(data, args.out, force=args.force)
    objects = sum(len(picture.instances) for picture in data.pictures)
    print(
        f"{args.out}: {len(data.pictures)} images, {objects} objects of {len(data.classes)} "
        f"classes ({', '.join(data.classes)}); its file names start in {data.images}"
    )
    return 0


def _masks(args: argparse.Namespace, data: Annotations) -> int:
    from ..formats.write import write_masks, write_text

    # The name that MMSegmentation's Cityscapes data set looks for.
    suffix = "_gtFine_labelTrainIds.png" if args.format == "cityscapes" else ".png"
    written = write_masks(data, args.out, suffix=suffix, force=args.force)
    root = Path(os.path.commonpath([args.out.resolve(), (data.images or Path()).resolve()]))
    lines = []
    for picture, mask in written:
        image = data.path(picture).resolve().relative_to(root).as_posix()
        lines.append(f"{image} {mask.resolve().relative_to(root).as_posix()}\n")
    name = args.out / f"{args.split or 'list'}.txt"
    write_text(name, "".join(lines), force=args.force)
    print(f"{args.out}: {len(written)} label maps; the paths in {name} start in {root}")
    return 0
