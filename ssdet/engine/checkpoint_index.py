"""What is in `checkpoints/`: one small file beside the checkpoints, and how to pick one of them."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..exits import CheckpointError
from .checkpoint_file import TEMPORARY, read_checkpoint, sha256, write_text

FOLDER = "checkpoints"
NAME = "index.json"


@dataclass
class Entry:
    """One checkpoint: its iteration, its checksum, and for a best one its score."""

    iteration: int
    sha256: str
    bytes: int
    validated: bool = False  # the validation due at this iteration is done and recorded
    metric: str | None = None
    score: float | None = None


@dataclass
class CheckpointIndex:
    """The entries of one folder, by file name; `save` replaces the file whole."""

    folder: Path
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> CheckpointIndex:
        """Read the index of `folder`; a missing or unreadable one counts as empty."""
        try:
            stored = json.loads((folder / NAME).read_text(encoding="utf-8"))
            entries = {name: Entry(**entry) for name, entry in stored["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            entries = {}
        return cls(folder, entries)

    def save(self) -> None:
        """Write the index."""
        files = {name: asdict(entry) for name, entry in self.entries.items()}
        write_text(json.dumps({"format": 1, "files": files}, indent=2) + "\n", self.folder / NAME)

    def best(self, metric: str) -> tuple[str, Entry] | None:
        """Return the name and entry of the best checkpoint by `metric`."""
        for name, entry in self.entries.items():
            if entry.metric == metric:
                return name, entry
        return None

    def resumable(self) -> list[str]:
        """Return the names of the listed checkpoints to resume from, oldest first."""
        names = [name for name, entry in self.entries.items() if entry.metric is None]
        return sorted(names, key=lambda name: self.entries[name].iteration)

    def damage(self, name: str) -> str | None:
        """Return what is wrong with the file `name`, or None."""
        path, entry = self.folder / name, self.entries.get(name)
        if not path.is_file():
            return "the file is missing"
        if entry is None:
            return _broken_archive(path)
        size = path.stat().st_size
        if size != entry.bytes:
            return f"it has {size} bytes instead of {entry.bytes}"
        if sha256(path) != entry.sha256:
            return "its checksum does not match index.json"
        return None


def find_latest(work_dir: Path) -> tuple[Path | None, list[str]]:
    """Return the newest whole checkpoint of a run and, in words, the newer ones that are not.

    A file that is not in the index (the process was killed between the rename and the index) is
    checked by its archive's own checksums. Runs written by MMEngine's hook are found, too.
    """
    index = CheckpointIndex.load(work_dir / FOLDER)
    order = {name: index.entries[name].iteration for name in index.resumable()}
    damaged: dict[str, str] = {}
    if index.folder.is_dir():
        for path in index.folder.glob("*.pth"):
            if path.name not in index.entries and re.match(r"(iter|epoch)_\d+\.pth$", path.name):
                try:
                    order[path.name] = int(read_checkpoint(path)["meta"]["iter"])
                except (CheckpointError, KeyError, TypeError) as error:
                    damaged[path.name] = str(error)
    found, messages = None, [f"{index.folder / n}: {why}" for n, why in damaged.items()]
    for name in sorted(order, key=lambda name: order[name], reverse=True):
        problem = index.damage(name)
        if problem is None:
            found = index.folder / name
            break
        messages.append(f"{index.folder / name}: {problem}")
    return found or _mmengine_pointer(work_dir), messages


def check_listed(path: Path) -> None:
    """Raise an error if `path` is in the index of its folder and is not what was written."""
    index = CheckpointIndex.load(path.parent)
    problem = index.damage(path.name) if path.name in index.entries else None
    if problem:
        raise CheckpointError(
            f"checkpoint {path}: {problem}. --resume without a path takes the newest undamaged one"
        )


def remove_leftovers(folder: Path) -> list[str]:
    """Delete the files of interrupted saves; return their names."""
    leftovers = sorted(folder.glob(f"*{TEMPORARY}")) if folder.is_dir() else []
    for path in leftovers:
        path.unlink(missing_ok=True)
    return [path.name for path in leftovers]


def _broken_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return str(error)
    return f"its part {bad} is damaged" if bad else None


def _mmengine_pointer(work_dir: Path) -> Path | None:
    pointer = work_dir / "last_checkpoint"
    if not pointer.is_file():
        return None
    path = Path(pointer.read_text(encoding="utf-8").strip())
    is_whole = path.is_file() and _broken_archive(path) is None
    return path if is_whole and path.parent.name != FOLDER else None
