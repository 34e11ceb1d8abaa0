"""Files that change in a run, brought back to what they were at a checkpoint."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..exits import writing

FOLDER = ".undo"
KEPT, ABSENT = "kept", "absent"


class UndoLog:
    """What the files of a folder were before their first change after each checkpoint.

    `folder/.undo/12/kept/maps/a.png` is `maps/a.png` as it was after iteration 12, when a
    checkpoint was written; `.undo/12/absent/maps/b.png` says that there was none. Kept files are
    further names of the old contents, which need no space of their own until the new ones are
    written. Several processes may remember into one log: the first one wins.

    Args:
        folder: The folder whose files are changed, by a rename and never in place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / FOLDER
        self._now: Path | None = None

    def begin(self, iteration: int) -> None:
        """From here on, changes are those after the checkpoint of this iteration."""
        self._now = self.log / str(iteration)
        with writing(self._now):
            self._now.mkdir(parents=True, exist_ok=True)

    def remember(self, path: Path) -> None:
        """Keep a file as it is, before it is replaced or removed."""
        if self._now is None:
            return
        name = path.relative_to(self.folder)
        kept, absent = self._now / KEPT / name, self._now / ABSENT / name
        if kept.exists() or absent.exists():
            return
        target = kept if path.exists() else absent
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                if target is absent:
                    target.touch(exist_ok=False)
                else:
                    _link(path, target)

    def back_to(self, iteration: int) -> bool:
        """Bring all files back to that iteration's checkpoint; False if the log does not say how.

        Without a later part of the log, nothing has been changed since.
        """
        steps = sorted(self._steps(), reverse=True)
        if not steps or (iteration not in steps and steps[0] > iteration):
            return False
        for step in steps:
            if step < iteration:
                break
            self._undo(self.log / str(step))
        return True

    def forget(self, before: int | None = None) -> None:
        """Remove what no checkpoint can ask for any more; all of it without a number."""
        for step in self._steps():
            if before is None or step < before:
                shutil.rmtree(self.log / str(step), ignore_errors=True)

    def _steps(self) -> list[int]:
        if not self.log.is_dir():
            return []
        return [int(path.name) for path in self.log.iterdir() if path.name.isdecimal()]

    def _undo(self, step: Path) -> None:
        for kind in (KEPT, ABSENT):
            for entry in [path for path in (step / kind).rglob("*") if path.is_file()]:
                path = self.folder / entry.relative_to(step / kind)
                if kind == ABSENT:
                    path.unlink(missing_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(entry, path)
        shutil.rmtree(step, ignore_errors=True)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names
        shutil.copy2(path, target)
