"""The benchmark of `ssdet fuse` scores what it says."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "tools"))
    import benchmark_fuse

    monkeypatch.setattr(benchmark_fuse, "SCENES", 6)
    monkeypatch.setattr(benchmark_fuse, "LABELED", 2)
    yield benchmark_fuse
    for name in ("benchmark_fuse", "benchmark_methods"):
        sys.modules.pop(name, None)


def test_labels_without_mistakes_have_full_marks(tool, tmp_path, monkeypatch, capsys):
    whole = {"missed": 0.0, "confused": 0.0}
    for name in ("mediocre", "worse", "garbage"):
        monkeypatch.setitem(tool.BOXES, name, {**whole, "shift": 0.0, "phantoms": 0.0})
        monkeypatch.setitem(tool.MAPS, name, {**whole, "rim": 0})
    assert tool.main(["--seeds", "0", "1", "--out", str(tmp_path)]) == 0
    lines = (tmp_path / "table.md").read_text().splitlines()
    rows = [line for line in lines if "alone" in line or "--mode" in line]
    assert len(rows) == 16 and all("| 100.0 ± 0.0 |" in row for row in rows)
    assert "\n".join(lines) in capsys.readouterr().out


def test_noise_costs(tool, tmp_path):
    table = {**tool.boxes(0, tmp_path / "boxes"), **tool.maps(0, tmp_path / "maps")}
    assert max(value for (value,) in table.values()) < 95
