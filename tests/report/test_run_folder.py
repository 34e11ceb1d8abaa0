"""Reading run folders that are finished, broken, resumed or not there."""

import json

import pytest

from ssdet.report.run_folder import find_runs, read_run

from .fake import run_folder, stats_line, write_lines


def test_a_finished_run(tmp_path):
    run = read_run(run_folder(tmp_path / "semi", iterations=40))
    assert run.name == "semi" and run.role == "semi" and run.problems == []
    assert [line["iter"] for line in run.train] == [10, 20, 30, 40]
    assert len(run.val) == 4 and run.last_iteration == 40 and run.info["seed"] == 0
    assert run.config.startswith("max_iters")


def test_a_run_without_pseudo_labels_is_a_baseline(tmp_path):
    assert read_run(run_folder(tmp_path / "a", role="baseline")).role == "baseline"
    assert read_run(tmp_path / "a", role="semi").role == "semi"


@pytest.mark.parametrize(
    "line, problem",
    [
        ("", "line 2 is empty"),
        ('{"mode": "train", "it', "metrics.jsonl, line 2: Unterminated string"),
        ("[1, 2]", "line 2 has no iteration"),
        ('{"iter": null, "loss": 1}', "line 2 has no iteration"),
    ],
)
def test_a_broken_line_is_named_and_left_out(tmp_path, line, problem):
    good = '{"mode": "train", "iter": %d, "loss": 1.0}'
    (tmp_path / "metrics.jsonl").write_text("\n".join([good % 10, line, good % 20]))
    run = read_run(tmp_path)
    assert [one["iter"] for one in run.train] == [10, 20]
    assert len(run.problems) == 1 and problem in run.problems[0]


def test_a_line_that_is_cut_off_by_a_dead_run(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"mode": "train", "iter": 10}\n{"mode": "tra')
    run = read_run(tmp_path)
    assert run.last_iteration == 10 and "the last line, cut off" in run.problems[0]


def test_nothing_there_is_a_problem_not_an_error(tmp_path):
    run = read_run(tmp_path / "nowhere")
    assert run.train == [] and "metrics.jsonl is not there" in run.problems[0]


@pytest.mark.parametrize("text, problem", [("{", "run.json: "), ("[]", "run.json holds a list")])
def test_broken_info(tmp_path, text, problem):
    run_folder(tmp_path)
    (tmp_path / "run.json").write_text(text)
    run = read_run(tmp_path)
    assert run.info == {} and run.problems[0].startswith(problem)


def test_of_iterations_that_a_resumed_run_repeats_the_later_count(tmp_path):
    run_folder(tmp_path, iterations=20)
    lines = [stats_line(10), stats_line(20), stats_line(20, kept=(1, 1, 1))]
    write_lines(tmp_path / "pseudo/stats.jsonl", lines)
    run = read_run(tmp_path)
    assert [line["iter"] for line in run.stats] == [10, 20]
    assert run.stats[1]["kept"] == [1, 1, 1]


def test_series_leave_out_what_is_not_finite(tmp_path):
    lines = [{"mode": "train", "iter": i, "loss": v} for i, v in ((1, 2.0), (2, None), (3, 1))]
    write_lines(tmp_path / "metrics.jsonl", lines)
    (tmp_path / "metrics.jsonl").open("a").write('{"mode":"train","iter":4,"loss":NaN,"a":"x"}\n')
    run = read_run(tmp_path)
    assert run.series("loss") == [(1, 2.0), (3, 1.0)]
    assert run.logged() == ["loss"]


def test_runs_are_found_below_a_folder_but_not_inside_of_a_run(tmp_path):
    run_folder(tmp_path / "b" / "semi")
    run_folder(tmp_path / "b" / "semi" / "earlier-1")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text(json.dumps({}))
    assert find_runs(tmp_path) == [tmp_path / "a", tmp_path / "b" / "semi"]
    assert find_runs(tmp_path / "b" / "semi") == [tmp_path / "b" / "semi"]
    assert find_runs(tmp_path / "nowhere") == []
