"""Did the unlabeled images help? The sentence, by hand-made runs."""

import json
from types import SimpleNamespace

import pytest

from ssdet.report import collect, read_run, render
from ssdet.report.live import ReportHook
from ssdet.report.summary import gain, scores, tasks_of
from ssdet.report.words import answer, explained

from .fake import run_folder


def task(folder, **tops):
    """Runs of the roles with these final values (the student's is 2 points lower)."""
    for name, top in tops.items():
        role, _, seed = name.partition("_")
        more = {"compared_as": role} if role != "semi" else {}
        kind = "baseline" if role == "baseline" else "semi"
        run_folder(folder / name, role=kind, top=top / 0.950213, seed=int(seed or 0), **more)
    return tasks_of(collect([folder]))[0]


def test_the_method_and_the_images_are_told_apart(tmp_path):
    one = task(tmp_path, baseline=0.40, control=0.43, semi=0.48)
    assert gain(one) == pytest.approx(8.0, abs=0.01)
    assert gain(one, "control") == pytest.approx(5.0, abs=0.01)
    assert answer(one).startswith(
        "Yes: +5.0 points of box AP over the same training with labeled images in their place, "
        "with one seed."
    )
    assert "Of the +8.0 points over the baseline" in explained(one)
    assert "brings +3.0, and the unlabeled images +5.0." in answer(one)


@pytest.mark.parametrize(
    "semi, word", [(0.42, "Yes: +2.0"), (0.405, "Unclear: +0.5"), (0.38, "No: -2.0")]
)
def test_one_seed_is_trusted_from_one_point_on(tmp_path, semi, word):
    one = task(tmp_path, baseline=0.40, semi=semi)
    assert answer(one).startswith(word) and "over the supervised baseline, with one seed" in answer(
        one
    )
    assert explained(one) == ""


def test_seeds_that_scatter_show_nothing(tmp_path):
    found = task(tmp_path, baseline_0=0.4, baseline_1=0.4, semi_0=0.44, semi_1=0.38)
    # Gains of 4 and -2: a mean of 1 with a standard error of 3.
    assert answer(found).startswith("Unclear: +1.0") and "mean of 2 seeds" in answer(found)
    assert scores(found)["teacher"].deviation == pytest.approx(4.243, abs=0.01)
    page = render(found.runs)
    assert "41.0 ± 4.2" in page and "40.0 ± 0.0" in page


def test_a_run_without_a_score_has_no_answer(tmp_path):
    one = task(tmp_path, semi=0.4, baseline=0.3)
    (tmp_path / "baseline" / "metrics.jsonl").write_text("")
    assert answer(tasks_of(collect([tmp_path]))[0]).startswith("It cannot be said")
    assert one.control == []


def test_the_page_during_a_run_shows_what_it_is_compared_with(tmp_path):
    task(tmp_path, baseline=0.40, semi=0.48)
    folder = tmp_path / "semi"
    runner = SimpleNamespace(work_dir=str(folder), iter=100, logger=None)
    beside = [str(tmp_path / "baseline"), str(tmp_path / "not_yet")]
    ReportHook(beside=beside).after_val_epoch(runner)
    page = (folder / "report.html").read_text()
    assert "Did the unlabeled images help?" in page and "Baseline<small>" in page


def test_a_run_says_itself_that_it_is_a_control(tmp_path):
    folder = run_folder(tmp_path / "a", compared_as="control")
    assert read_run(folder).role == "control"
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**info, "compared_as": "else"}))
    assert read_run(folder).role == "semi"
