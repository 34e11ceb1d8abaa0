"""Every rule has a case in which it speaks up and one in which it does not."""

from pathlib import Path

import pytest

from ssdet.report import health
from ssdet.report.run_folder import Run
from ssdet.report.summary import METRICS, Task

from .fake import stats_line


def run(train=(), val=(), stats=(), role="semi", **info):
    return Run("r", Path("r"), role, info, list(train), list(val), stats=list(stats))


def kept(values, every=10):
    return [{"iter": every * (i + 1), "pseudo/kept": v} for i, v in enumerate(values)]


def level(verdict):
    return verdict and verdict.level


def test_silence():
    silent = health.silence(run(kept([1, 0, 0, 0, 1, 1, 1, 1, 1, 1])))
    assert silent.level == "bad" and "30 iterations in a row (up to iteration 40)" in silent.text
    assert level(health.silence(run(kept([1, 0, 1, 1, 1, 1, 1, 1])))) == "good"
    assert health.silence(run(kept([0, 0]))) is None


def test_silence_that_lasts_to_the_end():
    assert "20 iterations" in health.silence(run(kept([1, 1, 1, 0, 0]))).text


def test_a_class_that_is_never_taught():
    never = health.missing_classes(run(stats=[stats_line(10, kept=(5, 0, 2))]))
    assert never.level == "bad" and "“1”" in never.text and "never with a score" in never.text
    assert never.title == "1 of 3 classes never have pseudo labels"
    unseen = health.missing_classes(run(stats=[stats_line(1, kept=(1, 1, 0), proposed=(2, 2, 0))]))
    assert "never even proposed" in unseen.text
    later = [stats_line(10, kept=(5, 0, 2)), stats_line(20, kept=(0, 1, 0))]
    assert level(health.missing_classes(run(stats=later))) == "good"
    assert health.missing_classes(run()) is None


def test_what_the_monitor_said_during_the_run():
    lines = [
        {"iter": 90, "key": "flood", "seen": "12 labels in an image.", "advice": "Raise it."},
        {"iter": 50, "key": "silent", "seen": "Nothing.", "advice": "A rule says it."},
    ]
    folder = Run("r", Path("r"), "semi", advice=lines)
    (flood,) = health.noticed(folder)
    assert flood.level == "bad" and flood.text == "Iteration 90: 12 labels in an image. Raise it."
    assert flood in health.verdicts(folder)


def evaluated(teacher, student):
    return [{"iter": 10, "teacher/mIoU": teacher, "student/mIoU": student}]


def test_teacher_behind_its_student():
    assert level(health.teacher_behind(run(val=evaluated(30.0, 31.0)))) == "bad"
    assert level(health.teacher_behind(run(val=evaluated(30.7, 31.0)))) == "good"
    assert health.teacher_behind(run(val=[{"iter": 1, "mIoU": 3.0}])) is None


def losses(sup, unsup):
    return [{"iter": 1, "sup_loss_cls": sup, "sup_acc": 99.0, "unsup_loss_cls": unsup}]


def test_ratio_of_the_losses():
    drowned = health.loss_ratio(run(losses(1.0, 5.0)))
    assert drowned.level == "bad" and "5 times" in drowned.text
    assert level(health.loss_ratio(run(losses(1.0, 0.01)))) == "note"
    assert level(health.loss_ratio(run(losses(1.0, 0.5)))) == "good"
    assert health.loss_ratio(run(losses(1.0, 5.0), role="baseline")) is None


def test_only_the_last_quarter_of_the_losses_counts():
    lines = losses(1.0, 50.0) * 3 + losses(1.0, 0.5)
    assert level(health.loss_ratio(run(lines))) == "good"


def test_numbers_that_are_not_finite():
    broken = health.not_finite(run([{"iter": 1, "loss": 1.0}, {"iter": 2, "loss": None}]))
    assert broken.level == "bad" and "iteration 2" in broken.text
    skipped = health.not_finite(run([{"iter": 1, "loss": 1.0, "skipped_steps": 2}]))
    assert "2 steps were skipped" in skipped.text
    assert health.not_finite(run([{"iter": 1, "loss": 1.0}])) is None


@pytest.mark.parametrize("values, found", [([10, 40, 30], "note"), ([10, 40, 39], None)])
def test_fallen(values, found):
    lines = [{"iter": i, "teacher/mIoU": float(v)} for i, v in enumerate(values)]
    assert level(health.fallen(run(val=lines))) == found


def test_state():
    line = [{"iter": 10, "loss": 1.0}]
    assert level(health.state(run(line, max_iterations=20))) == "note"
    assert health.state(run(line, max_iterations=10)) is None
    assert "failed" in health.state(run(line, state="failed: ValueError: no")).title
    assert level(health.state(run())) == "bad"


def test_unreadable_parts_are_named():
    broken = run()
    broken.problems = ["a.", "b.", "c.", "d."]
    assert health.unreadable(broken).text == "a. b. c. And 1 more."
    assert health.unreadable(run()) is None


@pytest.mark.parametrize(
    "teacher, found", [(31.0, "good"), (30.6, "note"), (30.0, "bad"), (12.0, "bad")]
)
def test_baseline(teacher, found):
    metric = next(m for m in METRICS if m.key == "mIoU")
    base = run(val=[{"iter": 10, "mIoU": 30.0}], role="baseline")
    task = Task(metric, [base], [run(val=evaluated(teacher, 20.0))])
    assert health.beats_baseline(task).level == found
    assert health.beats_baseline(Task(metric, [], task.semi)) is None


def test_bad_news_first():
    lines = kept([0] * 10)
    found = [v.level for v in health.verdicts(run(lines, evaluated(9.0, 5.0), max_iterations=500))]
    assert found == sorted(found, key=["bad", "note", "good"].index)
    assert "bad" in found and "good" in found
