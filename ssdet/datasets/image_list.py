"""The images that a folder, a glob, a list or a COCO file names; no framework is needed."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..exits import Exit, RunError
from ..formats.coco import open_coco
from ..formats.files import read_text
from ..formats.json_stream import Items
from ..messages import log
from .origins import chosen

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp", ".jp2")
)


class UnlabeledError(RunError, ValueError):
    """A source without a usable image, or with a path that must not be opened."""

    exit_code = Exit.DATA


@dataclass
class ImageList:
    """A source of `UnlabeledImages`, with its arguments.

    Attributes:
        may_miss: List files that do not exist, too (for checks that name them all).
        max_share: The most of all images that one folder directly below `root` may give.
        root: The folder that the paths were found to lie in.
    """

    source: str | Sequence[str]
    data_root: str = ""
    img_prefix: str = ""
    img_suffix: str = ""
    may_miss: bool = False
    max_share: float = 1.0
    root: str = field(default="", init=False)

    def images(self) -> list[dict]:
        """`img_path` and `img_id` of each image, and the size where a COCO file says it."""
        images = self._images()
        if not images:
            raise UnlabeledError(
                f"UnlabeledImages: no image in {self.source!r}; looked for files ending in "
                f"{', '.join(sorted(SUFFIXES))}"
            )
        return images if self.max_share == 1 else self._limited(images)

    def _limited(self, images: list[dict]) -> list[dict]:
        """No more of one folder than its share."""
        try:
            use = chosen([image["img_path"] for image in images], self.root, self.max_share)
        except ValueError as error:
            raise UnlabeledError(f"UnlabeledImages: {error}") from None
        kept = [image for image, used in zip(images, use, strict=True) if used]
        if len(kept) < len(images):
            log(
                f"UnlabeledImages: max_share={self.max_share} left out {len(images) - len(kept)} "
                f"of {len(images)} images"
            )
        return kept

    def _images(self) -> list[dict]:
        if not isinstance(self.source, str):
            return self._listed(self.source, "the list")
        source = self.source
        if self.data_root and not os.path.isabs(source) and not os.path.exists(source):
            source = os.path.join(self.data_root, source)
        if os.path.isdir(source):
            return self._found(_walk(source), source)
        if glob.has_magic(source) and not os.path.exists(source):
            fixed = re.split(r"[*?\[]", source, maxsplit=1)[0]
            return self._found(glob.iglob(source, recursive=True), os.path.dirname(fixed) or ".")
        if not os.path.isfile(source):
            raise FileNotFoundError(
                f"UnlabeledImages: source {source!r} does not exist; give a folder, a glob "
                f"pattern, a .txt list or a COCO .json file"
            )
        if source.lower().endswith(".json"):
            return self._coco(source)
        lines = [line.strip() for line in read_text(Path(source)).splitlines()]
        names = [first_image(line) for line in lines if line]
        return self._listed([n if is_image(n) else n + self.img_suffix for n in names], source)

    def _found(self, paths: Iterator[str], folder: str) -> list[dict]:
        inside = self._inside(self.data_root or folder)
        files = sorted(path for path in paths if is_image(path) and not os.path.isdir(path))
        return [{"img_path": inside(path, path), "img_id": n} for n, path in enumerate(files)]

    def _listed(self, names: Sequence[str], where: str) -> list[dict]:
        start = os.path.dirname(where) if isinstance(self.source, str) else ""
        inside = self._inside(self.data_root or start or ".")
        return [
            {"img_path": inside(self._join(inside.root, name), f"{where}, line {n}"), "img_id": n}
            for n, name in enumerate(names, start=1)
        ]

    def _coco(self, source: str) -> list[dict]:
        content = open_coco(Path(source))
        entries = content.get("images")
        if not isinstance(entries, Items):
            raise UnlabeledError(
                f"UnlabeledImages: {source} has no list 'images'; is it a COCO file?"
            )
        if content.get("annotations"):
            log(f"Annotations in {source} are not read: it is an unlabeled source")
        inside = self._inside(self.data_root or os.path.dirname(source) or ".")
        return [self._entry(entry, number, source, inside) for number, entry in enumerate(entries)]

    def _entry(self, entry: Any, number: int, source: str, inside: "_Inside") -> dict:
        entry = entry if isinstance(entry, dict) else {}
        name = entry.get("file_name")
        if not isinstance(name, str) or not name:
            raise UnlabeledError(
                f"UnlabeledImages: {source}, images[{number}] (id {entry.get('id')}) has "
                f"file_name={name!r}; it must be the path of an image"
            )
        where = f"{source}, images[{number}]"
        path = inside(self._join(inside.root, name), where)
        info: dict = {"img_path": path, "img_id": entry.get("id", number)}
        sides = entry.get("height"), entry.get("width")
        if all(isinstance(side, int) and side > 0 for side in sides):
            info["height"], info["width"] = sides
        return info

    def _inside(self, root: str) -> "_Inside":
        self.root = root
        return _Inside(root, self.may_miss)

    def _join(self, root: str, name: str) -> str:
        return os.path.join(root, self.img_prefix, name)


class _Inside:
    """Lets a path through only if it is an existing image file really inside the root."""

    def __init__(self, root: str, may_miss: bool = False) -> None:
        self.root = root
        self.may_miss = may_miss
        self._real_root = os.path.realpath(root)
        self._folders: dict[str, bool] = {}

    def __call__(self, path: str, where: str) -> str:
        if "\0" in path or not is_image(path):
            raise UnlabeledError(
                f"UnlabeledImages: {where}: {path!r} is not an image file; allowed endings: "
                f"{', '.join(sorted(SUFFIXES))}"
            )
        folder = os.path.dirname(path)
        if folder not in self._folders:  # resolving costs a system call for every part of a path
            self._folders[folder] = self._contains(os.path.realpath(folder))
        linked = os.path.islink(path)
        if not self._folders[folder] or (linked and not self._contains(os.path.realpath(path))):
            raise UnlabeledError(
                f"UnlabeledImages: {where}: {path!r} leads out of {self.root!r}; set data_root to "
                f"a folder that holds all images, or remove the entry"
            )
        if not (self.may_miss or os.path.isfile(path)):
            raise FileNotFoundError(
                f"UnlabeledImages: {where}: {path!r} does not exist; check data_root and img_prefix"
            )
        return path

    def _contains(self, real: str) -> bool:
        return os.path.commonpath([self._real_root, real]) == self._real_root


def _walk(folder: str) -> Iterator[str]:
    seen: set[str] = set()
    for base, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:  # a symbolic link to a folder that was searched already
            folders.clear()
            continue
        seen.add(real)
        yield from (os.path.join(base, name) for name in names)


def first_image(line: str) -> str:
    """The image of a line `image.jpg mask.png`, as labeled lists have it, or the whole line."""
    words = line.split()
    return words[0] if len(words) == 2 and all(map(is_image, words)) else line


def is_image(path: str) -> bool:
    """Whether a name ends as an image does."""
    return Path(path).suffix.lower() in SUFFIXES
