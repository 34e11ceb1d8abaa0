"""Numbers of the comparison, by hand."""

import pytest

from ssdet.report import read_run
from ssdet.report.figures import table_rows
from ssdet.report.summary import gain, gains, main_metric, scores, tasks_of
from ssdet.report.words import headline

from .fake import write_lines


def run(path, role, values, seed=0):
    lines = [{"mode": "val", "iter": 100 * (i + 1), **v} for i, v in enumerate(values)]
    write_lines(path / "metrics.jsonl", lines)
    found = read_run(path, role=role)
    found.info["seed"] = seed
    return found


@pytest.fixture
def task(tmp_path):
    def semi(seed, teacher, student):
        values = {"teacher/coco/bbox_mAP": teacher, "student/coco/bbox_mAP": student}
        return run(tmp_path / f"semi{seed}", "semi", [values], seed)

    def base(seed, value):
        return run(tmp_path / f"base{seed}", "baseline", [{"coco/bbox_mAP": value}], seed)

    runs = [semi(1, 0.42, 0.40), base(1, 0.33), semi(0, 0.40, 0.39), base(0, 0.29)]
    (only,) = tasks_of(runs)
    return only


def test_means_over_seeds_in_percent(task):
    found = scores(task)
    assert found["teacher"].mean == pytest.approx(41.0)
    assert found["student"].mean == pytest.approx(39.5)
    assert found["baseline"].mean == pytest.approx(31.0)
    assert gain(task) == pytest.approx(10.0)


def test_gain_of_each_seed_compares_runs_of_that_seed(task):
    assert dict(gains(task)) == pytest.approx({1: 9.0, 0: 11.0})


def test_rows(task):
    rows = {row["role"]: row for row in table_rows(task)}
    assert rows["baseline"]["what"] == "labeled images only"
    assert rows["teacher"]["gain"] == "+10.0" and rows["baseline"]["gain"] is None
    assert rows["teacher"]["each"] == ["42.0", "40.0"] and rows["teacher"]["share"] == "100.0"
    assert "10.0 points more than the 31.0" in headline(task)


def test_the_better_of_teacher_and_student_is_named(tmp_path):
    for name, values, better in (("a", (50.0, 40.0), "teacher"), ("b", (40.0, 50.0), "student")):
        both = {"teacher/mIoU": values[0], "student/mIoU": values[1]}
        folder = tmp_path / name
        runs = [run(folder, "baseline", [{"mIoU": 30.0}]), run(folder, "semi", [both])]
        (one,) = tasks_of(runs)
        named = [row["role"] for row in table_rows(one) if "use this one" in row["what"]]
        assert named == [better] and gain(one) == 20.0 and gains(one) == [(0, 20.0)]
        assert "reaches 50.0 mean IoU" in headline(one)


def test_the_last_evaluation_counts_and_percent_stays_percent(tmp_path):
    found = run(tmp_path, "baseline", [{"mIoU": 40.0, "aAcc": 90.0}, {"mIoU": 35.0}])
    (task,) = tasks_of([found])
    assert task.metric.key == "mIoU" and scores(task)["baseline"].values == (35.0,)
    assert gain(task) is None and headline(task) == "mean IoU so far: baseline 35.0."


def test_a_baseline_with_a_running_mean_is_judged_by_its_better_model(tmp_path):
    values = {"teacher/mIoU": 20.0, "student/mIoU": 25.0}
    (task,) = tasks_of([run(tmp_path, "baseline", [values])])
    assert scores(task)["baseline"].values == (25.0,)
    assert "the better of its plain" in table_rows(task)[0]["what"]


def test_an_unknown_metric_is_shown_by_its_name(tmp_path):
    metric = main_metric(run(tmp_path, "semi", [{"data_time": 0.1, "teacher/my/score": 0.5}]))
    assert (metric.key, metric.name, metric.scale) == ("my/score", "my/score", 1.0)
