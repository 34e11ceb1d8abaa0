"""Labels on their way: one file for each stretch of images, each whole or absent.

A shard is `shard-000123.jsonl`: one image a line, and a last line with its counts. It appears under
this name when it is whole, so what is missing is what is left to do. `manifest.json` says what the
labels are of; with anything else the folder is refused.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..engine.checkpoint_file import sync_folder, write_text
from ..exits import TEMPORARY, Exit, RunError, UsageError, writing
from ..formats.labeled import LabeledImage

MANIFEST = "manifest.json"
FORMAT = 1  # of the records
LARGEST, SMALLEST, PARTS = 1000, 16, 64  # images of a shard, and shards of a small job
_SHARD = re.compile(r"shard-(\d{6,})\.jsonl")
_SHOWN_ERRORS = 20  # of a shard whose names stand in its last line
_END_BYTES = 1 << 16
_DAY = 86400.0


class ShardError(RunError):
    """A shard is not what was written, or is of other labels."""

    exit_code = Exit.DATA


@dataclass
class Counts:
    """What is in one or several shards."""

    images: int = 0
    boxes: int = 0
    errors: int = 0
    maps: int = 0
    of_class: dict[int, int] = field(default_factory=dict)
    bad: list[tuple[str, str]] = field(default_factory=list)

    def add(self, record: LabeledImage) -> None:
        """Count an image."""
        self.images += 1
        self.boxes += len(record.boxes)
        self.maps += record.map is not None
        for label in record.labels:
            self.of_class[label] = self.of_class.get(label, 0) + 1
        if record.error:
            self.errors += 1
            if len(self.bad) < _SHOWN_ERRORS:
                self.bad.append((record.name, record.error))

    def __iadd__(self, other: Counts) -> Counts:
        self.images += other.images
        self.boxes += other.boxes
        self.errors += other.errors
        self.maps += other.maps
        self.bad = (self.bad + other.bad)[:_SHOWN_ERRORS]
        for label, count in other.of_class.items():
            self.of_class[label] = self.of_class.get(label, 0) + count
        return self


class ShardFolder:
    """The shards of one job.

    Args:
        path: The folder.
        images: How many there are.
        shard_size: Images of a shard. None: up to 1,000, fewer where there are few images.
    """

    def __init__(self, path: Path, images: int, shard_size: int | None = None) -> None:
        self.path, self.images = path, images
        self.size = shard_size or min(max(-(-images // PARTS), SMALLEST), LARGEST)

    def __len__(self) -> int:
        return -(-self.images // self.size)

    def __iter__(self) -> Iterator[LabeledImage]:
        """All images, in order; one is in memory at a time."""
        for number in range(len(self)):
            yield from self.read(number)

    def places(self, number: int) -> range:
        """The images of a shard."""
        return range(number * self.size, min((number + 1) * self.size, self.images))

    def open(self, about: Mapping[str, Any]) -> None:
        """Begin, or go on with, the job that `about` describes; another one is refused."""
        about = {**about, "number of images": self.images, "format of the records": FORMAT}
        file = self.path / MANIFEST
        if file.is_file():
            known = json.loads(file.read_text(encoding="utf-8"))
            self.size = known["shard_size"]
            self._check(known["about"], json.loads(json.dumps(about)))
        elif self.path.is_dir() and any(
            not p.name.endswith(TEMPORARY) for p in self.path.iterdir()
        ):
            raise UsageError(f"{self.path}: this folder is no job of `ssdet label`; take another")
        else:
            with writing(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
            write_text(json.dumps({"about": about, "shard_size": self.size}, indent=1), file)
        self._remove_leftovers()

    def missing(self) -> list[int]:
        """The shards that are not there yet."""
        found = set()
        for name in os.listdir(self.path):
            if match := _SHARD.fullmatch(name):
                found.add(int(match[1]))
        return [number for number in range(len(self)) if number not in found]

    def write(self, number: int, records: Sequence[LabeledImage]) -> Counts:
        """Write a shard: whole, or not at all, even if the power fails."""
        counts = Counts()
        path = self._file(number)
        temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
        with writing(path):
            try:
                with temporary.open("w", encoding="utf-8", newline="\n") as file:
                    for record in records:
                        counts.add(record)
                        file.write(record.line() + "\n")
                    file.write(json.dumps({"end": True, **vars(counts)}) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync_folder(self.path)
        return counts

    def read(self, number: int) -> Iterator[LabeledImage]:
        """The images of a shard."""
        count = 0
        with self._file(number).open(encoding="utf-8") as file:
            for line in file:
                if line.startswith('{"end"'):
                    break
                try:
                    yield LabeledImage.of_line(line)
                except (ValueError, TypeError):
                    self._damaged(number)
                count += 1
        if count != len(self.places(number)):
            self._damaged(number)

    def counts(self, number: int) -> Counts:
        """What a shard says of itself in its last line."""
        with self._file(number).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _END_BYTES))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        try:
            known = json.loads(last)
            known.pop("end")
            classes = {int(label): count for label, count in known.pop("of_class").items()}
            bad = [(name, error) for name, error in known.pop("bad")]
            return Counts(**known, of_class=classes, bad=bad)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._damaged(number)

    def total(self) -> Counts:
        """Of all shards."""
        sum_ = Counts()
        for number in range(len(self)):
            sum_ += self.counts(number)
        return sum_

    def _file(self, number: int) -> Path:
        return self.path / f"shard-{number:06d}.jsonl"

    def _check(self, known: dict[str, Any], asked: dict[str, Any]) -> None:
        parts = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
        if parts:
            told = "; ".join(
                f"{key}: {_short(known.get(key))}, now {_short(asked.get(key))}" for key in parts
            )
            raise UsageError(
                f"{self.path} holds labels of another job. It differs in {told}. Take another "
                "--out, or begin anew with --force"
            )

    def _remove_leftovers(self) -> None:
        """What killed processes have left; that of a running one is younger."""
        for path in self.path.glob(".*.tmp"):
            try:
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()
            except FileNotFoundError:
                pass

    def _damaged(self, number: int) -> NoReturn:
        raise ShardError(
            f"{self._file(number)} is damaged; delete it and give the same command again: its "
            "images are labeled once more"
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
