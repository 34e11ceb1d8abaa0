"""The report while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from ..registry import HOOKS
from ..run_files import METRICS

__all__ = ["ReportHook"]


@HOOKS.register_module()
class ReportHook(Hook):
    """Write `report.html` anew after each validation and at the end of a run.

    It reads the run folder as `ssdet report` does. A report that cannot be written is a warning:
    it is not worth a training.

    Args:
        beside: Folders of other runs that the page shows, too (of `ssdet train --baseline`).
    """

    # After the hooks that write what it shows.
    priority = "LOWEST"

    def __init__(self, beside: Sequence[str] = ()) -> None:
        self.beside = list(beside)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write the page of a training (a test has none)."""
        if runner.iter > 0:
            self._write(runner)

    def after_train(self, runner: Any) -> None:
        """Write the page of the whole run."""
        self._write(runner)

    def _write(self, runner: Any) -> None:
        from . import read_run, write_report

        folder = Path(runner.work_dir)
        if not is_main_process() or not (folder / METRICS).is_file():
            return
        try:
            others = [path for path in map(Path, self.beside) if (path / METRICS).is_file()]
            runs = [read_run(path) for path in (*others, folder)]
            write_report(runs, folder / "report.html")
        except Exception as error:  # a page is never worth a training
            runner.logger.warning(
                f"{folder / 'report.html'} could not be written: {type(error).__name__}: {error}. "
                "The training goes on; `ssdet report` makes the page from the run folder"
            )
