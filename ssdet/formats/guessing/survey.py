"""What lies below a folder: names first, contents only of a few files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ..paths import is_image

_LABELS = (".xml", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".mat", ".npy", ".parquet", ".ann")
_PROSE = re.compile(r"(read_?me|licen[cs]e|notes?|requirements|changelog|citation|info)\b")
T = TypeVar("T")


@dataclass
class Survey:
    """The files below a folder; hidden ones, and what archives of macOS add, are passed over."""

    root: Path
    files: dict[str, list[Path]] = field(default_factory=dict)  # by suffix, in lower case

    @classmethod
    def of(cls, root: Path) -> Survey:
        """Look at every name below a folder; links to folders are followed once."""
        survey = cls(root)
        for path in _walk(root):
            survey.files.setdefault(path.suffix.lower(), []).append(path)
        return survey

    def having(self, *suffixes: str) -> list[Path]:
        """The files of these suffixes, sorted."""
        return sorted(path for suffix in suffixes for path in self.files.get(suffix, ()))

    @cached_property
    def images(self) -> dict[Path, list[Path]]:
        """Folder -> its images."""
        folders: dict[Path, list[Path]] = {}
        for paths in self.files.values():
            for path in filter(is_image, paths):
                folders.setdefault(path.parent, []).append(path)
        return {folder: sorted(folders[folder]) for folder in sorted(folders)}

    @cached_property
    def stems(self) -> set[str]:
        """Names of the images without ending."""
        return {path.stem for paths in self.images.values() for path in paths}

    def folder_of(self, stems: set[str]) -> Path | None:
        """The nearest folder above the images that have these names."""
        found = [
            folder
            for folder, paths in self.images.items()
            if any(path.stem in stems for path in paths)
        ]
        return Path(os.path.commonpath(found)) if found else None

    def label_files(self) -> list[str]:
        """Kinds of files that may hold labels: '12 .xml', 'labels.csv'."""
        told = []
        for suffix in _LABELS:
            paths = [p for p in self.files.get(suffix, ()) if not _is_prose(p)]
            if paths:
                told.append(paths[0].name if len(paths) == 1 else f"{len(paths)} {suffix}")
        return told

    def told(self) -> str:
        """What is there, in a line."""
        if not self.files:
            return "an empty folder"
        images = sum(map(len, self.images.values()))
        count = Counter(
            {suffix or "no ending": len(paths) for suffix, paths in self.files.items()
             if not is_image(f"x{suffix}")}
        )  # fmt: skip
        rest = [f"{number} {suffix}" for suffix, number in count.most_common(5)]
        return ", ".join([f"{images} images", *rest])


def sample(items: Sequence[T], count: int) -> Sequence[T]:
    """A few items, evenly spread."""
    return items[:: max(1, -(-len(items) // count))]


def _is_prose(path: Path) -> bool:
    return bool(_PROSE.match(path.stem.lower())) or path.name.endswith(".split.json")


def _walk(root: Path) -> Iterator[Path]:
    seen = {os.path.realpath(root)}
    for base, folders, names in os.walk(root, followlinks=True):
        kept = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(base, name))
            if not name.startswith((".", "__")) and real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        yield from (Path(base, name) for name in names if not name.startswith("."))
