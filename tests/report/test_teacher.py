"""Is the teacher any good, and what is to be done? By hand-made counts."""

import json

import pytest

from ssdet.report import collect, read_run, render
from ssdet.report.summary import tasks_of
from ssdet.report.teacher import next_steps, teacher_verdict

from .fake import run_folder, stats_line, write_lines


def run_with(folder, proposed, right, truth, threshold=0.5, unit="boxes"):
    """A run whose last validation counted this, at ten scores from 0 to 0.9."""
    path = run_folder(folder)
    models = {"teacher": {"proposed": proposed, "right": right, "truth": truth}}
    content = {"iter": 400, "unit": unit, "classes": ["a", "b"], "models": models}
    (path / "quality.json").write_text(json.dumps(content))
    line = stats_line(400, classes=("a", "b"), kept=(5, 3), proposed=(20, 15))
    write_lines(path / "pseudo/stats.jsonl", [{**line, "threshold": [threshold] * len(truth)}])
    return read_run(path)


# (proposed, right) at each score; the threshold of 0.5 keeps the last five.
GOOD = [[4] * 10], [[0] * 5 + [4] * 5]
MIXED = [[4] * 10], [[0] * 5 + [1, 1, 4, 4, 4]]
WRONG = [[4] * 10], [[0] * 9 + [4]]


@pytest.mark.parametrize(
    ("counts", "truth", "level", "told"),
    [
        (GOOD, 30, "good", "100% of the labels that are kept are right, and 67% of the objects"),
        (GOOD, 100, "note", "but much is missed"),
        (MIXED, 30, "note", "Raise the threshold: 80% are right from a score of 0.60 on"),
        (WRONG, 30, "bad", "20% of the labels"),
        (([[4] * 10], [[0] * 10]), 30, "bad", "No threshold makes 80% right"),
        (([[4] * 5 + [0] * 5], [[0] * 10]), 30, "bad", "No label is kept"),
    ],
)
def test_the_verdict_on_the_teacher(tmp_path, counts, truth, level, told):
    found = teacher_verdict(run_with(tmp_path / "run", *counts, [truth]))
    assert found.level == level and told in f"{found.title}. {found.text}"
    if level != "bad" or "threshold" in told:
        assert "a threshold of 0.50" in found.text


def test_a_threshold_that_is_needlessly_high_is_said(tmp_path):
    found = teacher_verdict(run_with(tmp_path / "run", *GOOD, [30], threshold=0.8))
    assert "A lower threshold would teach more: 80% are right from a score of 0.40 on" in found.text


def test_pixels_count_by_class(tmp_path):
    proposed, right = [[0] * 9 + [1000], [0] * 9 + [10]], [[0] * 9 + [1000], [0] * 9 + [2]]
    found = teacher_verdict(run_with(tmp_path / "run", proposed, right, [1000, 10], unit="pixels"))
    assert "60% of the labels" in found.text and found.level == "note"


def test_hidden_labels_of_the_unlabeled_images_count_first(tmp_path):
    run = run_with(tmp_path / "run", *GOOD, [30])
    run.stats[-1]["truth"] = {"all": {"precision": 0.55, "recall": 0.7}}
    found = teacher_verdict(run)
    assert found.level == "bad" and "by their hidden labels" in found.text


def test_nothing_is_claimed_without_a_validation(tmp_path):
    assert teacher_verdict(read_run(run_folder(tmp_path / "run"))).title == "Not known yet"


def test_what_to_do_with_a_run(tmp_path):
    path = run_folder(tmp_path / "my run")
    steps = next_steps(read_run(path), tasks_of([read_run(path)])[0])
    assert steps == [], "there is no checkpoint"
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "iter_400.pth").touch()
    (task,) = tasks_of(collect([tmp_path]))
    commands = [command for _, command in next_steps(task.semi[0], task)]
    folder = f"'{path}'"
    assert commands[:2] == [f"ssdet browse {folder}", f"ssdet audit {folder}"]
    assert "--baseline" in commands[2] and commands[3] == f"ssdet export {folder}"
    run_folder(tmp_path / "baseline", role="baseline")
    (task,) = tasks_of(collect([tmp_path]))
    assert not any("--baseline" in command for _, command in next_steps(task.semi[0], task))
    page = render(task.runs)
    assert "Is the teacher any good?</strong> Not known yet." in page and "What to do" in page
