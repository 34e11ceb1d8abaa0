"""Which images are labeled: the same choice on every machine, small sets inside large ones.

The order of the images is that of the SHA-256 of (seed, fold, name). The first image of each class
comes before all others; the labeled set of size n is the first n images. So a set of 1 % lies
inside the one of 5 %, whenever and wherever they are made, and every class is in all of them unless
there are fewer images than it takes. Nothing depends on the ids or on the order of the source.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..formats.coco import open_coco
from ..formats.files import read_lines
from ..formats.issues import raise_data_error
from ..formats.made_lists import read_record
from ..formats.masks import split_line
from ..formats.paths import is_image

KINDS = ("percent", "fraction", "count")


@dataclass(frozen=True)
class Share:
    """How many images are labeled, as the user said it: '10' percent, '1/16', or a count."""

    kind: str
    text: str

    def __post_init__(self) -> None:
        allowed = {
            "percent": "a number above 0, up to 100",
            "fraction": "a fraction such as 1/16, above 0 and up to 1",
            "count": "a whole number above 0",
        }[self.kind]
        try:
            value = Fraction(self.text)
        except (ValueError, ZeroDivisionError):
            value = Fraction(0)
        good = value > 0 and (value.denominator == 1 if self.kind == "count" else self.part <= 1)
        if not good:
            raise_data_error(
                f"unusable --{self.kind}",
                "command line",
                found=self.text,
                allowed=allowed,
                advice="Correct the number",
            )

    @property
    def part(self) -> Fraction:
        """The share, if it is not a count."""
        return Fraction(self.text) / (100 if self.kind == "percent" else 1)

    @property
    def name(self) -> str:
        """What follows the @ in a file name: 10, 1_16, 92images."""
        name = f"{self.text}images" if self.kind == "count" else self.text.replace("/", "_")
        return name.removesuffix(".0")

    def size(self, total: int) -> int:
        """Labeled images of `total`, at least one.

        Percent are rounded to the nearest number. Fractions are rounded up, as in the published
        lists: 1/16 of VOC's 10,582 are 662, of Cityscapes' 2,975 are 186.
        """
        if self.kind == "count":
            count = int(self.text)
            if count > total:
                raise_data_error(
                    "more labeled images than there are",
                    f"--count {count}",
                    found=count,
                    allowed=f"1 ... {total}",
                    advice="Choose a smaller count",
                )
            return count
        exact = self.part * total
        return max(1, round(exact) if self.kind == "percent" else -int(-exact // 1))


@dataclass(frozen=True)
class Split:
    """Names of labeled and unlabeled images, each in the order of the source.

    `missing` are classes that no labeled image has.
    """

    labeled: tuple[str, ...]
    unlabeled: tuple[str, ...]
    missing: tuple[str, ...] = ()


def priorities(
    names: Sequence[str],
    labels_in: Callable[[str], Iterable[int]],
    classes: int,
    *,
    seed: int = 0,
    fold: int = 1,
) -> list[str]:
    """All images in the order in which they become labeled.

    `labels_in` is asked only until every class was seen: it may have to decode a label map.
    """
    shuffled = sorted(names, key=lambda name: (_draw(name, seed, fold), name))
    seen: set[int] = set()
    first = []
    for name in shuffled:
        if len(seen) == classes:
            break
        new = set(labels_in(name)) - seen
        if new:
            seen |= new
            first.append(name)
    early = set(first)
    return first + [name for name in shuffled if name not in early]


def divide(
    names: Sequence[str],
    labeled: Iterable[str],
    labels_in: Callable[[str], Iterable[int]],
    classes: Sequence[str],
) -> Split:
    """The split with these labeled images, and the classes that they miss."""
    chosen = set(labeled)
    missing = dict.fromkeys(range(len(classes)))
    for name in names:
        if not missing:
            break
        if name in chosen:
            for label in labels_in(name):
                missing.pop(label, None)
    return Split(
        tuple(name for name in names if name in chosen),
        tuple(name for name in names if name not in chosen),
        tuple(classes[label] for label in missing),
    )


def match(lines: Iterable[tuple[int, str]], names: Sequence[str], source: Path) -> list[str]:
    """The images that the lines of an existing list mean: by path, by path without ending, or by
    file name, as far as that is unique."""
    keys: dict[str, set[str]] = {}
    for name in names:
        stem = name.rsplit(".", 1)[0]
        for key in {name, stem, name.rsplit("/", 1)[-1], stem.rsplit("/", 1)[-1]}:
            keys.setdefault(key, set()).add(name)
    found = []
    for number, line in lines:
        image = line if line in keys else line.split()[0]
        meant = keys.get(image) or keys.get(image.rsplit("/", 1)[-1], set())
        if len(meant) != 1:
            raise_data_error(
                "listed image that is not in the data",
                f"{source}, line {number}",
                found=f"{line!r}, which fits {len(meant)} images",
                allowed="paths, or names without ending, of one image each",
                advice="Check that list and data belong together",
            )
        found.append(next(iter(meant)))
    return found


def checksum(names: Iterable[str]) -> str:
    """SHA-256 of the sorted names, one per line: the same for any order and any file format."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def split_checksum(path: str | Path) -> str:
    """The checksum of a labeled or unlabeled file, COCO or list.

    If the file was written by `ssdet split` and was changed since, that is an error.
    """
    path = Path(path)
    if path.suffix == ".json":
        content = open_coco(path)
        names = [record.get("file_name") for record in content.get("images", [])]
        info = content.get("info")
        recorded = info.get("split", {}).get("sha256") if isinstance(info, dict) else None
    else:
        names = [_image_of(line, f"{path}, line {number}") for number, line in read_lines(path)]
        recorded = read_record(path).get(path.name, {}).get("sha256")
    found = checksum(map(str, names))
    if recorded not in (None, found):
        raise_data_error(
            "split file that was changed",
            path,
            found=f"{len(names)} images, sha256 {found[:16]}...",
            allowed=f"sha256 {recorded[:16]}..., as recorded when it was made",
            advice="Make it again with `ssdet split`, or remove the recorded checksum",
        )
    return found


def paths_checksum(paths: Iterable[str]) -> str:
    """The checksum of image files; the folder that holds them all does not count."""
    names = list(paths)
    root = os.path.commonpath([os.path.dirname(name) for name in names]) if names else ""
    return checksum(os.path.relpath(name, root or ".") for name in names)


def source_checksum(dataset: Any) -> str:
    """What a training logs of a data set, and compares when it is resumed.

    The split's own checksum for the files of `ssdet split` and for lists; that of the bytes for
    other annotation files; that of the images' names for folders.
    """
    file = getattr(dataset, "ann_file", None) or getattr(dataset, "source", None)
    path = Path(file) if isinstance(file, (str, Path)) else Path()
    if path.suffix not in (".json", ".txt", ".xml") or not path.is_file():
        infos = (dataset.get_data_info(n) for n in range(len(dataset)))
        return paths_checksum(str(info.get("img_path")) for info in infos)
    with path.open("rb") as content:
        start = content.read(4096)  # `ssdet split` writes its note first
        if path.suffix == ".txt" or (b'"split"' in start and b'"sha256"' in start):
            return split_checksum(path)
        digest = hashlib.sha256(start)
        while piece := content.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _image_of(line: str, where: str) -> str:
    """The image of a line `image mask`; a name without ending stands for itself."""
    return split_line(line, where)[0] if is_image(line) else line


def _draw(name: str, seed: int, fold: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{fold}\n{name}".encode(errors="surrogateescape")).digest()
