"""The page: self-contained, escaped, whole, whatever the run looks like."""

import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from ssdet.cli import main
from ssdet.hooks._parts.drawing import save_jpeg
from ssdet.report import collect, read_run, render, write_report
from ssdet.report.live import ReportHook
from ssdet.report.words import run_facts

from .fake import run_folder, stats_line, write_lines

EVIL = "<script>alert('x')</script>"


def gallery(path, file="1_0_weak.jpg", **line):
    (path / "pseudo").mkdir(exist_ok=True)
    save_jpeg(path / "pseudo" / file, np.zeros((8, 8, 3), np.uint8))
    panels = [{"file": file, "view": "weak"}, {"file": "../../secret.jpg", "view": "strong"}]
    content = {"iter": 1, "number": 0, "panels": panels, "unit": "boxes", "kept": 2, **line}
    write_lines(path / "pseudo/gallery.jsonl", [content])


@pytest.fixture
def runs(tmp_path):
    for task in ("detection", "segmentation"):
        run_folder(tmp_path / task / "baseline", role="baseline", task=task, top=0.3)
        path = run_folder(tmp_path / task / "semi", task=task, top=0.4)
        write_lines(path / "pseudo/stats.jsonl", [stats_line(400)])
        gallery(path, dropped={"score": 3}, drawn=2, score=0.91)
    return collect([tmp_path])


class Balanced(HTMLParser):
    """Fails where an element is not closed, or not in its turn."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_tells_the_comparison(runs):
    page = render(runs, commands=["ssdet quickstart"])
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert (
        page.count("<svg") >= 6 and "Object detection" in page and "Semantic segmentation" in page
    )
    assert re.search(r'class="gain">\+\d', page) and "ssdet quickstart" in page
    said = "2 boxes kept, mean score 0.91; 3 boxes dropped: the score is below the threshold"
    assert f"{said} (the 2 with the highest scores are drawn)." in page


def test_it_asks_nobody_for_anything(runs):
    page = render(runs)
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page and "<script" not in page and "@import" not in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(source.startswith("data:") for source in sources)


def test_what_comes_from_outside_is_escaped(tmp_path):
    path = run_folder(tmp_path / 'it\'s "odd" & <b>', command=EVIL, state=f"failed: {EVIL}")
    (path / "config.py").write_text(f"# {EVIL}")
    write_lines(
        path / "pseudo/stats.jsonl", [stats_line(9, classes=(EVIL, "b", "c"), kept=[0] * 3)]
    )
    colors = {EVIL: "#ff0000", "b": "red;} body{display:none"}
    gallery(path, "a'b\"<i>.jpg", dropped={EVIL: 2}, colors=colors)
    page = render([read_run(path)], title=EVIL, commands=[EVIL])
    assert "<script" not in page and "<i>.jpg" not in page and "display:none" not in page
    assert "&lt;script&gt;" in page and "<b>" not in page.split("</title>")[0]
    assert "background:#ff0000" in page and page.count("data:image/jpeg") == 1


def test_how_a_run_was_started_and_on_what(tmp_path):
    def data(images):
        return {"train": {"images": images}, "val": {"images": 9}}

    times = dict(start="2026-01-01T10:00:00+0000", end="2026-01-01T10:01:30+0000")
    command = "/x/.venv/bin/ssdet train c.py"
    run_folder(tmp_path / "a", role="baseline", top=0.3, data=data(8), command=command, **times)
    run_folder(tmp_path / "b", data=data(24), command="/x/ssdet/cli/__main__.py train d.py")
    page = render(collect([tmp_path]))
    assert "the same 8 labeled images; 16 more came without labels" in page
    assert "<code>ssdet train c.py</code>" in page and "<code>ssdet train d.py</code>" in page
    assert "400 iterations · seed 0 · 8 images to train, 9 to validate · 1.5 minutes" in page


@pytest.mark.parametrize(
    ("device", "config", "told"),
    [
        ("cpu (x86_64)", "", "ssdet rerun gives the same numbers"),
        ("NVIDIA H100", "", "last digits vary, since a GPU adds in any order"),
        ("NVIDIA H100", "randomness = dict(deterministic=True, seed=0)", "gives the same numbers"),
    ],
)
def test_a_run_says_whether_it_can_be_repeated(tmp_path, device, config, told):
    path = run_folder(tmp_path / "run", device=device)
    (path / "config.py").write_text(config)
    assert any(told in fact for fact in run_facts(read_run(path)))


def test_a_file_outside_of_the_run_is_not_embedded(tmp_path):
    save_jpeg(tmp_path / "secret.jpg", np.zeros((8, 8, 3), np.uint8))
    path = run_folder(tmp_path / "x" / "semi")
    gallery(path)
    assert render([read_run(path)]).count("data:image/jpeg") == 1


def test_a_broken_line_is_named_on_the_page(tmp_path):
    path = run_folder(tmp_path / "semi")
    with (path / "metrics.jsonl").open("a") as file:
        file.write('\n{"mode": "tr')
    page = render([read_run(path)])
    assert "is empty; it was left out" in page and "the last line, cut off" in page


@pytest.mark.parametrize("state", ["running", "failed: OSError: disk full"])
def test_a_run_that_goes_on_or_died(tmp_path, state):
    path = run_folder(tmp_path / "semi", iterations=40, state=state, max_iterations=80)
    page = render([read_run(path)])
    assert ("disk full" in page) == state.startswith("failed")
    assert ("40 of 80 iterations" in page) == (state == "running")


def test_an_empty_folder_makes_a_page(tmp_path):
    assert "Nothing was logged" in render([read_run(tmp_path)])


def test_several_seeds(tmp_path):
    for seed in (0, 1):
        run_folder(tmp_path / f"b{seed}", role="baseline", top=0.3, seed=seed)
        run_folder(tmp_path / f"s{seed}", top=0.4 + 0.1 * seed, seed=seed)
    page = render(collect([tmp_path]))
    assert "(seed 0)" in page and "(seed 1)" in page and page.count('<details class="run"') == 2


def test_names_tell_runs_apart(tmp_path):
    for task in ("detection", "segmentation"):
        run_folder(tmp_path / task / "semi", task=task)
    assert [run.name for run in collect([tmp_path])] == ["detection/semi", "segmentation/semi"]


def test_the_page_is_replaced_as_a_whole(tmp_path, monkeypatch):
    out = write_report([read_run(run_folder(tmp_path / "semi"))], tmp_path / "r.html")
    before = out.read_text()
    monkeypatch.setattr("ssdet.exits.os.replace", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):
        write_report([], out)
    assert out.read_text() == before


def test_the_command(tmp_path, capsys):
    run_folder(tmp_path / "work" / "semi")
    assert main(["report", str(tmp_path / "work" / "semi")]) == 0
    assert (tmp_path / "work" / "semi" / "report.html").is_file()
    assert main(["report", str(tmp_path / "work"), "--out", str(tmp_path / "a/b.html")]) == 0
    assert str(tmp_path / "a/b.html") in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main(["report", str(tmp_path / "empty")]) == 2
    assert "no run folder" in capsys.readouterr().err


def test_info_may_lack_everything(tmp_path):
    path = run_folder(tmp_path / "semi")
    (path / "run.json").write_text(json.dumps({"versions": None, "command": None}))
    assert "box AP" in render([read_run(path)])


def test_what_the_monitor_measured_is_drawn(tmp_path):
    path = run_folder(tmp_path / "semi")
    truth = {"precision": [0.9, 0.8, None], "recall": [0.5, 0.4, 0.0]}
    every = {"precision": 0.85, "recall": 0.3, "iou": 0.7, "dropped_precision": 0.2}
    more = {
        "agreement": 0.7,
        "weight_distance": 0.1,
        "drift": 0.2,
        "momentum": 0.99,
        "truth": {**truth, "all": every},
    }
    write_lines(path / "pseudo/stats.jsonl", [{**stats_line(i), **more} for i in (200, 400)])
    page = render([read_run(path)])
    for title in ("Are the pseudo labels right?", "Teacher and student", "Momentum", "Classes of"):
        assert f"<h4>{title}" in page
    assert '<td class="num">0.90</td><td class="num">0.50</td>' in page
    assert '<td class="num">–</td><td class="num">0.00</td>' in page


def test_one_seed_is_called_one_seed(runs, tmp_path):
    assert render(runs).count("One seed: results differ") == 2
    assert "One seed" not in render([run for run in runs if run.role == "semi"])


def test_a_run_writes_its_report_after_each_validation(tmp_path):
    path = run_folder(tmp_path / "semi")
    warned = []
    runner = SimpleNamespace(
        work_dir=str(path), iter=0, logger=SimpleNamespace(warning=warned.append)
    )
    hook = ReportHook()
    hook.after_val_epoch(runner)
    assert not (path / "report.html").exists(), "a test is not a training"
    runner.iter = 100
    hook.after_val_epoch(runner)
    assert "Object detection" in (path / "report.html").read_text()
    (path / "report.html").unlink()
    (path / "report.html").mkdir()
    hook.after_train(runner)
    assert len(warned) == 1 and "report.html could not be written: IsADirectoryError" in warned[0]
