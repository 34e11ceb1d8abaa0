"""Convert a data set to what MMDetection or MMSegmentation reads.

--to coco writes one json file; its file names are relative to the folder that is printed at the
end, and images are not copied. --to masks writes one palette PNG for each image, `classes.txt`,
and a list with lines `image mask`, named after --split, or `list.txt`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .reading import (
    FORMATS,
    add_reading_arguments,
    add_source_arguments,
    find_source,
    reading_options,
)

if TYPE_CHECKING:
    from ..formats import Annotations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet convert`."""
    add_source_arguments(parser, (*FORMATS, "cityscapes-instances"))
    parser.add_argument("--to", choices=("coco", "masks"), required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="the json file, or the folder of the label maps"
    )
    parser.add_argument(
        "--fit", action="store_true",
        help="scale label maps to the size of their images, where only that differs",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Convert and say what was written."""
    from ..formats import components, read, write_coco
    from ..formats.guessed import options_for

    found = find_source(args)
    options = options_for(found, reading_options(args))
    data = read(found.source, found.format, strict=args.strict, **options)
    if args.to == "masks":
        return _masks(args, data, found.format)
    if data.encoding is not None:
        data = components(data)
    write_coco(data, args.out, force=args.force)
    objects = sum(len(record.instances) for record in data.records)
    print(
        f"{args.out}: {len(data.records)} images, {objects} objects of {len(data.classes)} "
        f"classes ({', '.join(data.classes)}); its file names are relative to {data.images}"
    )
    return 0


def _masks(args: argparse.Namespace, data: Annotations, form: str) -> int:
    from ..formats.write import write_masks, write_text

    # The name that MMSegmentation's Cityscapes data set looks for.
    suffix = "_gtFine_labelTrainIds.png" if form == "cityscapes" else ".png"
    written = write_masks(data, args.out, suffix=suffix, fit=args.fit, force=args.force)
    root = Path(os.path.commonpath([args.out.resolve(), (data.images or Path()).resolve()]))
    lines = []
    for record, mask in written:
        image = data.path(record).resolve().relative_to(root).as_posix()
        lines.append(f"{image} {mask.resolve().relative_to(root).as_posix()}\n")
    name = args.out / f"{args.split or 'list'}.txt"
    write_text(name, "".join(lines), force=args.force)
    print(f"{args.out}: {len(written)} label maps; the paths in {name} are relative to {root}")
    return 0
