"""What a run shows to a person: curves, galleries, checks, one self-contained HTML file.

It reads run folders and nothing else, so it works long after the training. Not here: what a
run writes into its folder (`ssdet.engine`, `ssdet.hooks.observe`).
"""

from typing import Any

from .page import collect, render, write_report
from .run_folder import Run, find_runs, read_run

__all__ = ["ReportHook", "Run", "collect", "find_runs", "read_run", "render", "write_report"]


def __getattr__(name: str) -> Any:
    if name == "ReportHook":  # it needs MMEngine, and reading a run folder does not
        from .live import ReportHook

        return ReportHook
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
