"""What a run shows to a person: curves, galleries, checks, one self-contained HTML file.

It reads run folders and nothing else, so it works long after the training. Not here: what a
run writes into its folder (`ssdet.engine`, `ssdet.hooks.observe`).
"""

from .page import collect, render, write_report
from .run_folder import Run, find_runs, read_run

__all__ = ["Run", "collect", "find_runs", "read_run", "render", "write_report"]
