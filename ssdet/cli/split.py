"""Split a data set into labeled and unlabeled images, the same on every machine.

Small labeled sets lie inside larger ones of the same fold and seed, and every class is in each of
them if that is possible. With --group-by, images of one patient, video or site stay together.
Nothing is written into the folder of the data unless --out names it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..datasets.split_groups import Groups
    from ..datasets.splits import Share, Split
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
        "--group-by", metavar="RULE",
        help="keep images together that belong to one patient, video or site: 'folder'; an "
        "expression such as '(patient[0-9]+)'; a key of the image records of a COCO file; or a "
        "column of --groups",
    )  # fmt: skip
    parser.add_argument(
        "--groups", type=Path, metavar="FILE",
        help="CSV file whose first column names the images, for --group-by COLUMN",
    )  # fmt: skip
    parser.add_argument(
        "--val-percent", metavar="P",
        help="put percent of all images aside for validation, before anything else, and the same "
        "ones for all folds; the shares above are then of what is left",
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

    _check(args)
    # Its records are written again as they are, for each share and fold.
    content = open_coco(args.source).whole() if args.format == "coco" else None
    options = {**reading_options(args), "content": content}
    data = read(args.source, args.format, strict=args.strict, **options)
    job = _Job(args, data, content, _out(args, data))
    names = [record.name for record in data.records]
    if args.list:
        listed = splits.match(read_lines(args.list), names, args.list)
        job.groups.check_whole(listed)
        job.write(splits.divide(names, listed, job.labels_in, data.classes), args.list.stem)
        return 0
    if args.val_percent:
        kept_out = set(job.draw(names, splits.Share("percent", args.val_percent), fold=0))
        job.write_validation([name for name in names if name in kept_out])
        names = [name for name in names if name not in kept_out]
    kind = next(kind for kind in splits.KINDS if getattr(args, kind))
    shares = [splits.Share(kind, text) for text in getattr(args, kind)]
    pool = names
    if args.labeled_from:
        pool = splits.match(read_lines(args.labeled_from), names, args.labeled_from)
    for fold in args.fold:
        for share in shares:
            chosen = job.draw(pool, share, fold)
            split = splits.divide(names, chosen, job.labels_in, data.classes)
            job.write(split, f"{fold}@{share.name}", fold, asked=share.size(len(pool)))
    return 0


class _Job:
    """What all files of one call have in common."""

    def __init__(
        self, args: argparse.Namespace, data: Annotations, content: Any, out: Path
    ) -> None:
        self.args, self.data, self.content, self.out = args, data, content, out
        self.by_name = {record.name: record for record in data.records}
        self.groups = _groups(args, data, content)

    def labels_in(self, name: str) -> set[int]:
        return self.data.labels_in(self.by_name[name])

    def draw(self, pool: Sequence[str], share: Share, fold: int) -> list[str]:
        """The images of a share of the pool."""
        return self.groups.draw(
            pool, share.size(len(pool)), self.labels_in, len(self.data.classes),
            seed=self.args.seed, fold=fold,
        )  # fmt: skip

    def write(self, split: Split, ending: str, fold: int | None = None, asked: int = 0) -> None:
        """The pair of files of one split."""
        from ..datasets.split_files import write_split

        note = {
            **self._note(), "fold": fold, "labeled": len(split.labeled),
            "unlabeled": len(split.unlabeled), "missing_classes": list(split.missing),
        }  # fmt: skip
        paths = write_split(
            self.content, self.data, split, self.out / _file(self.args, ending), note=note,
            style=_STYLES.get(self.args.format, "pairs"), force=self.args.force,
        )  # fmt: skip
        self._say(paths[0], split.labeled, asked)
        self._say(paths[1], split.unlabeled)
        if split.missing:
            print(
                f"warning: no labeled image has {', '.join(split.missing)}: a model cannot learn "
                f"what it never sees; label more images that show it, or leave it out"
            )
        if not split.unlabeled:
            print("warning: no image is left unlabeled")

    def write_validation(self, names: Sequence[str]) -> None:
        """The file of the images that are put aside."""
        from ..datasets.split_files import write_part

        path = self.out / _file(self.args, "val")
        write_part(
            self.content, self.data, tuple(names), path, note={**self._note(), "fold": None},
            style=_STYLES.get(self.args.format, "pairs"), force=self.args.force,
        )  # fmt: skip
        self._say(path, names)

    def _note(self) -> dict[str, Any]:
        note = {"command": "ssdet split", "source": self.args.source.name, "seed": self.args.seed}
        given = {"group_by": self.args.group_by, "val_percent": self.args.val_percent}
        return {**note, **{key: value for key, value in given.items() if value}}

    def _say(self, path: Path, images: Sequence[str], asked: int = 0) -> None:
        from ..datasets.splits import split_checksum

        of = f" of {self.groups.count(images)} groups" if self.args.group_by else ""
        more = f" ({asked} asked for; groups stay whole)" if asked not in (0, len(images)) else ""
        checksum = split_checksum(path)[:16]
        print(f"{path}: {len(images)} images{of}{more}, sha256 {checksum}")


def _check(args: argparse.Namespace) -> None:
    """Refuse options that say nothing together."""
    from ..exits import UsageError

    if args.groups and not args.group_by:
        raise UsageError(f"--groups {args.groups}: name its column with --group-by COLUMN")
    if args.list and args.val_percent:
        raise UsageError(
            "--val-percent: nothing is drawn with --list; name the validation images in a list of "
            "their own"
        )


def _groups(args: argparse.Namespace, data: Annotations, content: Any) -> Groups:
    """Which images belong together, as --group-by says."""
    from ..datasets.split_groups import Groups, group_images

    names = [record.name for record in data.records]
    if not args.group_by:
        return Groups({name: name for name in names})
    records = None
    if content is not None:
        entries = {entry["id"]: entry for entry in content["images"] if isinstance(entry, dict)}
        records = {record.name: entries.get(record.id, {}) for record in data.records}
    return group_images(names, args.group_by, table=args.groups, records=records)


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
