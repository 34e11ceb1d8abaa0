"""What is in `checkpoints/`: one small file beside the checkpoints, and how to pick one of them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..exits import TEMPORARY, CheckpointError, UsageError
from ..run_files import CHECKPOINTS
from .checkpoint_file import check_parts, read_checkpoint, sha256, write_text

FOLDER = CHECKPOINTS
NAME = "index.json"
LISTED = re.compile(r"[\w.-]+\.pth", re.ASCII)  # what may stand in the index, and be deleted
NUMBERED = re.compile(r"(?:iter|epoch)_(\d+)\.pth", re.ASCII)


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
    ignored: list[str] = field(default_factory=list)  # what no run of ours has written

    @classmethod
    def load(cls, folder: Path) -> CheckpointIndex:
        """Read the index of `folder`; a missing or unreadable one counts as empty.

        The file is data from anywhere, and what it lists may be deleted when it is old: only names
        of checkpoints within the folder count.
        """
        try:
            stored = json.loads((folder / NAME).read_text(encoding="utf-8"))["files"]
            entries = {name: _entry(name, value) for name, value in stored.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            entries = {}
        known = {name: entry for name, entry in entries.items() if entry is not None}
        return cls(folder, known, sorted(entries.keys() - known.keys()))

    def adopt_orphans(self) -> list[str]:
        """List the whole checkpoints of a run that was killed before it listed them itself."""
        found = {}
        for path in self.folder.glob("*.pth"):
            number = re.fullmatch(NUMBERED, path.name)
            if number is None or path.name in self.entries or path.is_symlink():
                continue
            try:
                meta = read_checkpoint(path)["meta"]
                is_ours = "ssdet_version" in meta and int(number[1]) in (
                    meta["iter"],
                    meta["epoch"],
                )
            except (CheckpointError, KeyError, TypeError):
                continue
            if is_ours:
                found[path.name] = Entry(int(meta["iter"]), sha256(path), path.stat().st_size)
        self.entries.update(found)
        if found:
            self.save()
        return sorted(found)

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
            return _broken_parts(path)
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
            if path.name not in index.entries and re.fullmatch(NUMBERED, path.name):
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


def find_best(work_dir: Path, model: str) -> Path:
    """The best checkpoint of a run by a metric of "teacher" or "student", else the newest."""
    index = CheckpointIndex.load(work_dir / FOLDER)
    scored = {name: entry.metric for name, entry in index.entries.items() if entry.metric}
    best = [name for name, metric in scored.items() if metric.startswith(f"{model}/")]
    if len(best) > 1:
        raise UsageError(
            f"{work_dir}: several best checkpoints of the {model}; name one of "
            f"{', '.join(str(index.folder / name) for name in best)}"
        )
    path = index.folder / best[0] if best else find_latest(work_dir)[0]
    if path is None or not path.is_file():
        raise UsageError(
            f"{work_dir}: no checkpoint in {index.folder}; give the folder of a run of "
            f"`ssdet train`, or a checkpoint"
        )
    return path


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


def _entry(name: str, stored: dict[str, Any]) -> Entry | None:
    entry = Entry(**stored)
    is_whole = type(entry.iteration) is int and type(entry.bytes) is int
    is_scored = entry.score is None or isinstance(entry.score, (int, float))
    return entry if re.fullmatch(LISTED, name) and is_whole and is_scored else None


def _broken_parts(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            check_parts(file)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _mmengine_pointer(work_dir: Path) -> Path | None:
    pointer = work_dir / "last_checkpoint"
    if not pointer.is_file():
        return None
    path = Path(pointer.read_text(encoding="utf-8").strip())
    is_whole = path.is_file() and _broken_parts(path) is None
    return path if is_whole and path.parent.name != FOLDER else None
