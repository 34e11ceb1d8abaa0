"""`family_table.py`: what it writes is what was found, and families train in two processes."""

import sys
from pathlib import Path

import pytest

from ..families import detectors
from ..reliability.harness import server

pytest.importorskip("transformers")  # which Python 3.10 does not get
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(ROOT / "tools"))
    import family_table

    yield family_table
    sys.path.pop(0)


def free_anchors(_):
    config = detectors.small_config("retinanet")
    config.bbox_head.type = "FreeAnchorRetinaHead"
    config.bbox_head.loss_bbox = dict(type="SmoothL1Loss")
    return config


def test_a_head_without_weights_is_found(table):
    assert table.weights(table.Family("free anchors", "boxes", free_anchors, False)) == "no"
    honest = table.Family("retinanet", "boxes", detectors.small_config, False)
    assert table.weights(honest) == table.ignore(honest) == table.export(honest) == "yes"


def test_an_error_is_a_cell(table, capsys):
    assert table.measured("retinanet", lambda _: 1 / 0) == "ZeroDivisionError: division by zero"
    assert "Traceback" in capsys.readouterr().err


def test_families_that_are_not_asked_for_keep_their_rows(table, tmp_path, monkeypatch, capsys):
    page = tmp_path / "families.md"
    asked = ["family_table.py", "--out", str(page)]

    def measure(cells, names, file):
        for name in names:
            cells[name] = dict.fromkeys(table.COLUMNS, "yes" if len(names) == 1 else "no")

    monkeypatch.setattr(table, "measure", measure)
    for more in ([], ["solo"]):
        monkeypatch.setattr(sys, "argv", [asked[0], *more, *asked[1:]])
        table.main()
        assert page.read_text() == capsys.readouterr().out.removesuffix("\n")
    found = table.on_page(page)
    assert list(found) == list(table.families())
    assert {name for name, cells in found.items() if "yes" in cells.values()} == {"solo"}
    monkeypatch.setattr(sys, "argv", [asked[0], "sola"])
    with pytest.raises(SystemExit):
        table.main()
    assert "'sola' is not one of retinanet," in capsys.readouterr().err


def test_the_page_has_every_family(table):
    cells = table.on_page(ROOT / "docs" / "families.md")
    assert list(cells) == list(table.families())


@pytest.mark.long
def test_families_agree_in_two_processes(table):
    """One of the two has no labeled object; the weights stay equal."""
    names = ["condinst", "rtmdet_ins", "solov2", "hf rt_detr_v2", "hf dinov3 lora", "seg ddrnet"]
    found = dict(table.in_two_processes(names, server()))
    assert found == dict.fromkeys(names, "yes")
