"""Where the checkpoint of a run is, and where the config of a checkpoint."""

from __future__ import annotations

from pathlib import Path

from ..exits import UsageError
from ..formats.issues import short
from .checkpoint_index import FOLDER, CheckpointIndex, find_best
from .config_text import code_in

EXPORTED = ("model.pth", "model.safetensors")


def checkpoint_of(place: str | Path, model: str = "teacher") -> Path:
    """A checkpoint: itself, the best one of a run folder, or that of an exported folder."""
    path = Path(place).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"checkpoint {place}: no such file or folder")
    exported = [path / name for name in EXPORTED if (path / name).is_file()]
    return exported[0] if exported else find_best(path, model)


def best_of(work_dir: Path) -> Path | None:
    """The best checkpoint, or the newest where none was chosen; None without any."""
    folder = work_dir / FOLDER
    entries = CheckpointIndex.load(folder).entries
    scored = [name for name, entry in entries.items() if entry.metric is not None]
    found = scored or sorted(entries, key=lambda name: entries[name].iteration)
    return folder / found[-1] if found else None


def run_at(place: str | Path, model: str = "teacher", *, named: str) -> tuple[Path, Path] | None:
    """Config and checkpoint of a run folder, or of a checkpoint in one; None for anything else.

    Args:
        place: Where they may be.
        model: Of a run folder the best checkpoint of it is taken, else the newest.
        named: How a command is told the config; for the error.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        path = find_best(path, model)
    elif not (path.suffix == ".pth" and path.is_file()):
        return None
    return config_of(path, named), path


def config_of(checkpoint: Path, named: str = "--config") -> Path:
    """The config in the run folder of a checkpoint; `named` is how a command is told another."""
    found = [folder / "config.py" for folder in checkpoint.resolve().parents[:2]]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        raise UsageError(
            f"checkpoint {checkpoint}: no config.py in its run folder ({found[-1].parent}); name "
            f"the config of the run: {named} CONFIG"
        )
    # Nobody named it: a folder from elsewhere must not run what it likes.
    code = code_in(path.read_text(encoding="utf-8", errors="replace"))
    if code is not None:
        raise UsageError(
            f"{path}: this config of a run folder holds more than values: {short(code)!r}. If you "
            f"trust it, name it: {named} {path}"
        )
    return path
