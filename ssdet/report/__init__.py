"""What a run shows to a person: curves, galleries, verdicts, one self-contained HTML file."""

from .page import collect, render, write_report
from .run_folder import Run, find_runs, read_run

__all__ = ["Run", "collect", "find_runs", "read_run", "render", "write_report"]
