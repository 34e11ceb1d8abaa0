"""The files that a run learns from: which they are, and whether they are still the same."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .checkpoint_file import sha256, write_text

NAME = "data_files.jsonl"
SECONDS = 5.0  # of each start of a run, for checksums
ANNOTATIONS = ("ann_file", "source")


@dataclass
class FileRecord:
    """Size and time of the last change, and the checksum where there was time for it."""

    size: int
    mtime_ns: int
    sha256: str | None = None


@dataclass
class DataFiles:
    """The files of a run's data, by path, kept in `work_dir/data_files.jsonl`.

    Images by the hundred thousand are not read twice: at each start of the run, checksums are made
    for a few seconds. Where a file has another time of change, its checksum decides; without one
    it counts as changed.
    """

    path: Path
    records: dict[str, FileRecord] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> DataFiles | None:
        """What a run folder has recorded; None without a (readable) record."""
        path = folder / NAME
        try:
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            return cls(path, {line.pop("path"): FileRecord(**line) for line in lines})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, folder: Path) -> None:
        """Write the record into a run folder."""
        lines = (json.dumps({"path": k, **asdict(v)}) + "\n" for k, v in self.records.items())
        write_text("".join(lines), folder / NAME)

    def differences(self, paths: Iterable[str]) -> list[str]:
        """What has changed, one text for each file; a file that was only touched has not."""
        found = []
        for path in sorted({*paths, *self.records}):
            cause = self._difference(path)
            if cause is not None:
                found.append(f"{path}: {cause}")
        return found

    def update(self, paths: Iterable[str]) -> None:
        """Take the files as they are now; add checksums for a few seconds."""
        now = {path: record for path in paths if (record := _look(path)) is not None}
        for path, record in now.items():
            old = self.records.get(path)
            if old is not None and (old.size, old.mtime_ns) == (record.size, record.mtime_ns):
                record.sha256 = old.sha256
        self.records = now
        end = time.monotonic() + SECONDS
        for path, record in now.items():
            if record.sha256 is None and time.monotonic() < end:
                record.sha256 = sha256(Path(path))

    def _difference(self, path: str) -> str | None:
        old, new = self.records.get(path), _look(path)
        if old is None:
            return "is new" if new is not None else None
        if new is None:
            return "is gone"
        if new.size != old.size:
            return f"has {new.size} bytes instead of {old.size}"
        if new.mtime_ns == old.mtime_ns:
            return None
        if old.sha256 is None:
            return "was written to since, and has no checksum to tell whether it is the same"
        if sha256(Path(path)) != old.sha256:
            return "has other contents"
        old.mtime_ns = new.mtime_ns
        return None


def files_of(dataset: Any) -> Iterator[str]:
    """Annotation files and images on this machine that a data set reads, parts included."""
    parts = [*getattr(dataset, "datasets", ()), getattr(dataset, "dataset", None)]
    parts = [part for part in parts if part is not None]
    for part in parts:
        yield from files_of(part)
    if parts or dataset is None:
        return
    for name in ANNOTATIONS:
        value = getattr(dataset, name, None)
        if isinstance(value, (str, Path)) and os.path.isfile(value):
            yield str(value)
    if hasattr(dataset, "get_data_info"):
        for index in range(len(dataset)):
            for name, value in dataset.get_data_info(index).items():
                is_path = name.endswith(("_path", "_path2")) and isinstance(value, str)
                if is_path and value and "://" not in value:
                    yield value


def _look(path: str) -> FileRecord | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return FileRecord(status.st_size, status.st_mtime_ns)
