"""How `split`, `convert`, `doctor` and `init` are told what data is, and how it is read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..formats import Guess

FORMATS = (
    "coco", "voc", "yolo", "labelme", "cvat", "labelstudio", "huggingface",
    "masks", "voc-masks", "cityscapes", "ade", "list",
)  # fmt: skip


def add_source_arguments(
    parser: argparse.ArgumentParser, formats: tuple[str, ...] = FORMATS
) -> None:
    """Declare the data set of `split` and `convert`."""
    parser.add_argument(
        "format", nargs="?", choices=formats, metavar="FORMAT",
        help=f"format of the data set, if it is not recognized: {', '.join(formats)}",
    )  # fmt: skip
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="annotation file or folder of the data set"
    )


def add_reading_arguments(
    parser: argparse.ArgumentParser,
    strict: str = "an unusable record is an error, not a counted skip",
) -> None:
    """Declare how a data set is read."""
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the images")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="folder of the label maps")
    parser.add_argument("--split", metavar="NAME", help="part of the data: train, val, ...")
    parser.add_argument(
        "--classes", type=Path, metavar="FILE",
        help="class names in the order of the labels: lines `name` or `name red green blue`, or "
        "a JSON list",
    )  # fmt: skip
    parser.add_argument(
        "--values", type=_values, metavar="V0,V1,...",
        help="gray values of label maps in the order of the classes, such as 0,255; several for "
        "one class: 0,7+8,11-13",
    )  # fmt: skip
    parser.add_argument(
        "--colors", type=Path, metavar="FILE",
        help="colors of the classes of label maps: lines `name red green blue`",
    )  # fmt: skip
    parser.add_argument(
        "--ignore", type=_ignored, metavar="V,...", default=[],
        help="gray values, or names of classes, of label maps that are neither learned nor "
        "evaluated, such as 11 or void",
    )  # fmt: skip
    parser.add_argument(
        "--reduce-zero-label", action="store_true",
        help="label maps: ignore value 0; 1 is the first class",
    )  # fmt: skip
    parser.add_argument(
        "--follow-links", action="store_true", help="accept symbolic links out of the data folder"
    )
    parser.add_argument(
        "--predictions", action="store_true",
        help="Label Studio: take the prediction of a task that nobody annotated",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help=strict)


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """What the arguments say, for `ssdet.formats.read`; what they do not say is left out."""
    from ..formats import class_settings

    said = {
        "images": args.images, "masks": args.masks, "split": args.split,
        "follow_links": args.follow_links, "predictions": args.predictions,
        **class_settings(
            args.classes, args.values, colors=args.colors, ignore=args.ignore,
            reduce_zero_label=args.reduce_zero_label,
        ),
    }  # fmt: skip
    return {key: value for key, value in said.items() if value}


def find_source(args: argparse.Namespace) -> Guess:
    """The data set of `split` and `convert`: as it is named, or as it is recognized."""
    from ..formats import DataError, Guess, guess
    from ..formats.issues import raise_data_error

    if args.format:
        return Guess(args.format, args.source, "")
    try:
        found = guess(args.source).part(args.split)
    except DataError:
        if not args.masks:
            raise
        found = Guess("masks", args.source, "")
    if found.format == "images" and args.masks:
        found = Guess("masks", args.source, "", {"images": args.source})
    if found.format == "images":
        raise_data_error(
            "data without labels",
            args.source,
            found=found.why,
            allowed=", ".join(FORMATS),
            advice=f"Name the format: ssdet ... FORMAT {args.source}",
        )
    why = f"label maps in {args.masks}/" if args.masks else found.why
    print(f"{args.source}: {found.format}: {why}")
    for part in found.parts:
        if found.parts[part].reading == found.reading and found.parts[part].source == found.source:
            others = ", ".join(name for name in found.parts if name != part)
            print(f"  the part {part!r}; others with --split: {others}")
    return found


def _values(text: str) -> list[int | list[int]]:
    """'0,7+8,11-13' is [0, [7, 8], [11, 12, 13]]."""
    classes: list[int | list[int]] = []
    for entry in text.split(","):
        values: list[int] = []
        for piece in entry.split("+"):
            first, dash, last = piece.partition("-")
            values += range(int(first), int(last) + 1) if dash else [int(first)]
        classes.append(values[0] if len(values) == 1 else values)
    every = [v for entry in classes for v in ([entry] if isinstance(entry, int) else entry)]
    if len(set(every)) < len(every):
        raise argparse.ArgumentTypeError(f"{text}: a value is given twice")
    return classes


def _ignored(text: str) -> list[int | str]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    return [int(entry) if entry.isdigit() else entry for entry in entries]
