"""The notebook of the docs, cell by cell, as Jupyter would run and show it."""

import ast
import json
import os
import subprocess
import sys

import pytest

from .pages import ROOT

NOTEBOOK = ROOT / "docs/tutorials/first-training.ipynb"
# Runs each cell in one namespace and shows its last expression, as a notebook does.
PLAYER = """
import ast, json, sys
scope = {}
for source in json.load(open(sys.argv[1])):
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), scope)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), scope)
        show = getattr(value, "_repr_html_", None)
        if value is not None:
            print("SHOWN", repr(show() if show else value))
"""


@pytest.fixture(scope="module")
def cells():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert not any(cell.get("outputs") for cell in notebook["cells"]), "clear it before a commit"
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def test_every_cell_runs_and_shows_something(cells, tmp_path):
    (tmp_path / "cells.json").write_text(json.dumps(cells))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PLAYER, "cells.json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    shown = [line for line in done.stdout.splitlines() if line.startswith("SHOWN")]
    ends = [c for c in cells if isinstance(ast.parse(c).body[-1], ast.Expr)]
    assert len(shown) == len(ends)
    assert "<table>" in shown[0] and "box AP" in shown[0] and "finished" in shown[0]
    assert "teacher/coco/bbox_mAP" in shown[1] and ".pth" in shown[2]
    assert (tmp_path / "runs/first/report.html").stat().st_size > 10_000
