"""Split a data set into labeled and unlabeled images, the same on every machine.

Small labeled sets lie inside larger ones of the same fold and seed, and every class is in each of
them if that is possible. With --group-by, images of one patient, video or site stay together.
Nothing is written into the folder of the data unless --out names it.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .reading import add_reading_arguments, add_source_arguments, find_source, reading_options

if TYPE_CHECKING:
    from ..datasets.split_groups import Groups
    from ..datasets.splits import Share, Split
    from ..formats import Annotations, Guess

_STYLES = {
    "voc": "stems", "yolo": "names", "labelme": "names", "cvat": "names",
    "labelstudio": "names", "huggingface": "names",
}  # fmt: skip
# The models that README and docs begin with; `ssdet init --list` has the others.
_BASES = {"boxes": "retinanet-r50", "pixels": "deeplabv3plus-r50"}
_DEFAULT_SPLITS = {"yolo": "train", "cityscapes": "train", "ade": "training"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet split`."""
    add_source_arguments(parser)
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
        "--per-group", nargs="+", type=int, metavar="K",
        help="labeled images of each group of --group-by, such as 2 frames of each video, evenly "
        "apart",
    )  # fmt: skip
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


def run(args: argparse.Namespace) -> int:
    """Write the files; say what is in them, and which command is next."""
    from ..datasets import splits
    from ..formats import read
    from ..formats.files import read_lines
    from ..formats.guessed import options_for

    _check(args)
    found = find_source(args)
    # The records of a COCO file are written again as they are, for each share and fold.
    options = options_for(found, reading_options(args), whole=True)
    data = read(found.source, found.format, strict=args.strict, **options)
    if found.only:
        every = [record.name for record in data.records]
        data = data.subset(splits.match(read_lines(found.only), every, found.only))
    job = _Job(args, found, data, options)
    _write_all(job)
    if job.first is not None:
        print(f"next:\n  {shlex.join(_next_command(job, job.first))}")
    return 0


def _write_all(job: _Job) -> None:
    """The files of each share and fold."""
    from ..datasets import splits
    from ..formats.files import read_lines

    args, data = job.args, job.data
    names = [record.name for record in data.records]
    if args.list:
        listed = splits.match(read_lines(args.list), names, args.list)
        job.groups.check_whole(listed)
        job.write(splits.divide(names, listed, job.labels_in, data.classes), args.list.stem)
        return
    if args.val_percent:
        kept_out = set(job.draw(names, splits.Share("percent", args.val_percent), fold=0))
        job.write_validation([name for name in names if name in kept_out])
        names = [name for name in names if name not in kept_out]
    if args.per_group:
        for fold in args.fold:
            for count in args.per_group:
                chosen = job.groups.spread(names, count, fold)
                split = splits.divide(names, chosen, job.labels_in, data.classes)
                job.write(split, f"{fold}@{count}-per-group", fold)
        return
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


def _next_command(job: _Job, labeled: Path) -> list[str]:
    """`ssdet init` on a labeled list; it finds the unlabeled and the validation images beside it.

    The files say how the data is read, but for what their formats have no place for.
    """
    base = _BASES["pixels" if job.data.encoding is not None else "boxes"]
    flags = ("follow_links", "predictions")
    said = [f"--{flag.replace('_', '-')}" for flag in flags if getattr(job.args, flag)]
    return ["ssdet", "init", base, "--labeled", str(labeled), *said]


class _Job:
    """What all files of one call have in common, and the first labeled one, once it is there."""

    def __init__(
        self, args: argparse.Namespace, found: Guess, data: Annotations, reading: dict[str, Any]
    ) -> None:
        self.args, self.found, self.data, self.reading = args, found, data, reading
        self.content, self.out = reading.get("content"), _out(args, data)
        self.by_name = {record.name: record for record in data.records}
        self.groups = _groups(args, data, self.content)
        self.first: Path | None = None

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
            self.content, self.data, split, self.out / self._file(ending), note=note,
            source=self._source(), style=self._style, force=self.args.force,
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
        elif self.first is None:
            self.first = paths[0]

    def write_validation(self, names: Sequence[str]) -> None:
        """The file of the images that are put aside."""
        from ..datasets.split_files import write_part

        path = self.out / self._file("val")
        write_part(
            self.content, self.data, tuple(names), path, note={**self._note(), "fold": None},
            source=self._source(), style=self._style, force=self.args.force,
        )  # fmt: skip
        self._say(path, names)

    @property
    def _style(self) -> str:
        return _STYLES.get(self.found.format, "pairs")

    def _file(self, ending: str) -> str:
        form, name = self.found.format, self.args.name
        if form == "coco":
            return f"{name or self.found.source.stem}.{ending}.json"
        part = self.args.split or _DEFAULT_SPLITS.get(form) or self.found.source.resolve().stem
        return f"{name or part}.{ending}.txt"

    def _source(self) -> dict[str, Any]:
        """What the lists are lists of."""
        from ..formats.made_lists import data_note

        of = data_note(self.data, self.found.source, self.found.format, self.reading, self.out)
        return {**of, "part_of": os.path.relpath(self.args.source, self.out)}

    def _note(self) -> dict[str, Any]:
        note = {"command": "ssdet split", "source": self.args.source.name, "seed": self.args.seed}
        if self.content is not None and self.data.images is not None:
            note["root"] = os.path.relpath(self.data.images, self.out)
            note["part_of"] = os.path.relpath(self.args.source, self.out)
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
    if args.per_group and (not args.group_by or min(args.per_group) < 1 or args.labeled_from):
        raise UsageError(
            f"--per-group {' '.join(map(str, args.per_group))}: give numbers above 0, with "
            "--group-by RULE and without --labeled-from"
        )
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
