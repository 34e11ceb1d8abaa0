"""Split a data set into labeled and unlabeled images, the same on every machine.

Small labeled sets lie inside larger ones of the same fold and seed, and every class is in each of
them if that is possible. Nothing is written into the folder of the data unless --out names it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..datasets.splits import Split
    from ..formats import Annotations

FORMATS = (
    "coco", "voc", "yolo", "labelme", "cvat",
    "masks", "voc-masks", "cityscapes", "ade", "list",
)  # fmt: skip
_STYLES = {"voc": "stems", "yolo": "names", "labelme": "names", "cvat": "names"}
_DEFAULT_SPLITS = {"yolo": "train", "cityscapes": "train", "ade": "training"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet split`."""
    parser.add_argument(
        "format", choices=FORMATS, help="format of the data set; see docs/datasets.md"
    )
    parser.add_argument("source", type=Path, help="annotation file or folder of the data set")
    share = parser.add_mutually_exclusive_group(required=True)
    share.add_argument(
        "--percent", nargs="+", metavar="P", help="percent of labeled images, such as 1 5 10"
    )
    share.add_argument(
        "--fraction", nargs="+", metavar="F", help="fraction of labeled images, such as 1/16 1/8"
    )
    share.add_argument(
        "--count", nargs="+", metavar="N", help="number of labeled images, such as 92 183"
    )
    share.add_argument(
        "--list", type=Path, metavar="FILE",
        help="labeled images from an existing list: paths, names, or lines `image mask`",
    )  # fmt: skip
    parser.add_argument(
        "--labeled-from", type=Path, metavar="FILE",
        help="draw labeled images from this list only; all others are unlabeled",
    )  # fmt: skip
    parser.add_argument(
        "--fold", nargs="+", type=int, default=[1], metavar="N",
        help="index of the random draw; each fold has other labeled images (default: 1)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of the folds")
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: splits/)")
    parser.add_argument(
        "--name",
        help="prefix of the file names (default: name of the json file, --split or source)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    add_reading_arguments(parser)


def add_reading_arguments(
    parser: argparse.ArgumentParser,
    strict: str = "an unusable record is an error, not a counted skip",
) -> None:
    """Declare how a data set is read; `convert` and `doctor` take the same."""
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
        help="gray values of label maps in the order of the classes, such as 0,255",
    )  # fmt: skip
    parser.add_argument(
        "--follow-links", action="store_true", help="accept symbolic links out of the data folder"
    )
    parser.add_argument("--strict", action="store_true", help=strict)


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """What the arguments say, for `ssdet.formats.read`."""
    from ..formats import class_settings

    return {
        "images": args.images, "masks": args.masks, "split": args.split,
        "follow_links": args.follow_links, **class_settings(args.classes, args.values),
    }  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Write the files and say what is in them."""
    from ..datasets import splits
    from ..formats import read
    from ..formats.coco import open_coco
    from ..formats.files import read_lines

    # Its records are written again as they are, for each share and fold.
    content = open_coco(args.source).whole() if args.format == "coco" else None
    options = {**reading_options(args), "content": content}
    data = read(args.source, args.format, strict=args.strict, **options)
    out = _out(args, data)
    by_name = {record.name: record for record in data.records}
    names = list(by_name)

    def labels_in(name: str) -> set[int]:
        return data.labels_in(by_name[name])

    if args.list:
        listed = splits.match(read_lines(args.list), names, args.list)
        split = splits.divide(names, listed, labels_in, data.classes)
        _write(args, data, content, split, out / _file(args, args.list.stem))
        return 0
    kind = next(kind for kind in splits.KINDS if getattr(args, kind))
    shares = [splits.Share(kind, text) for text in getattr(args, kind)]
    pool = names
    if args.labeled_from:
        pool = splits.match(read_lines(args.labeled_from), names, args.labeled_from)
    for fold in args.fold:
        order = splits.priorities(pool, labels_in, len(data.classes), seed=args.seed, fold=fold)
        for share in shares:
            chosen = order[: share.size(len(pool))]
            split = splits.divide(names, chosen, labels_in, data.classes)
            _write(args, data, content, split, out / _file(args, f"{fold}@{share.name}"), fold)
    return 0


def _write(
    args: argparse.Namespace,
    data: Annotations,
    content: dict[str, Any] | None,
    split: Split,
    path: Path,
    fold: int | None = None,
) -> None:
    from ..datasets.split_files import write_split
    from ..datasets.splits import split_checksum

    note = {
        "command": "ssdet split", "source": args.source.name, "fold": fold, "seed": args.seed,
        "labeled": len(split.labeled), "unlabeled": len(split.unlabeled),
        "missing_classes": list(split.missing),
    }  # fmt: skip
    paths = write_split(
        content, data, split, path,
        note=note, style=_STYLES.get(args.format, "pairs"), force=args.force,
    )  # fmt: skip
    for file, images in zip(paths, (split.labeled, split.unlabeled), strict=True):
        print(f"{file}: {len(images)} images, sha256 {split_checksum(file)[:16]}")
    if split.missing:
        print(
            f"warning: no labeled image has {', '.join(split.missing)}: a model cannot learn what "
            f"it never sees; label more images that show it, or leave it out"
        )
    if not split.unlabeled:
        print("warning: no image is left unlabeled")


def _out(args: argparse.Namespace, data: Annotations) -> Path:
    """The folder to write to; by default one that is not inside the data."""
    from ..exits import UsageError

    if args.out:
        return args.out
    folders = [args.source if args.source.is_dir() else args.source.parent, data.images or Path()]
    if not args.source.is_dir():
        # An annotation file may lie in the folder one works in.
        folders = [folder for folder in folders if folder != Path()]
    out, here = Path("splits"), Path.cwd().resolve()
    if any(here.is_relative_to(folder.resolve()) for folder in folders):
        raise UsageError(
            f"--out: the current folder {here} belongs to the data, and nothing is written there "
            f"by default; name a folder with --out (this one: --out {out})"
        )
    return out


def _file(args: argparse.Namespace, ending: str) -> str:
    if args.format == "coco":
        return f"{args.name or args.source.stem}.{ending}.json"
    part = args.split or _DEFAULT_SPLITS.get(args.format) or args.source.resolve().stem
    return f"{args.name or part}.{ending}.txt"


def _values(text: str) -> list[int]:
    values = [int(value) for value in text.split(",")]
    if len(set(values)) < len(values):
        raise argparse.ArgumentTypeError(f"{text}: a value is given twice")
    return values
