"""The benchmark of the labeling measures what it says."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "tools"))
    import benchmark_label

    yield benchmark_label
    sys.modules.pop("benchmark_label")


def test_shards_are_merged_and_names_opened(tool, capsys):
    assert tool.main(["merge", "--images", "250", "--boxes", "3"]) == 0
    assert "coco: 250 images, 750 boxes, 16 shards written" in capsys.readouterr().out
    assert tool.main(["names", "--images", "1200"]) == 0
    text = capsys.readouterr().out
    assert '"images": 1200' in text and "image-0000001199" in text
