"""The quickstart: what it runs, reuses, resumes and says. Most trainings here are acted."""

import json
import re
import sys
import time
from pathlib import Path

import pytest

from ssdet.cli import main, quickstart
from ssdet.cli.bars import PlainLines
from ssdet.cli.jobs import Job, run_jobs
from ssdet.exits import RunError

CONFIGS = Path(__file__).parent / "configs"
# Does what a training does to its folder, at once.
ACTOR = """
import json, pathlib, sys, time
folder, iterations = pathlib.Path(sys.argv[1]), int(sys.argv[2])
print("this is training")
if sys.argv[3] == "die":
    sys.exit("no such file: labels.json")
with (folder / "metrics.jsonl").open("a") as file:
    for i in range(1, iterations + 1):
        line = {"mode": "train", "iter": i, "loss": 1.5, "pseudo/kept": 2.0}
        file.write(json.dumps(line) + "\\n")
    file.write(json.dumps({"mode": "val", "iter": iterations, "mIoU": 30.0}) + "\\n")
    file.flush()
    time.sleep(60 if sys.argv[3] == "hang" else 0)
(folder / "run.json").write_text(json.dumps({"state": "finished"}))
"""


class Acted(Job):
    act = "finish"

    def command(self):
        return [sys.executable, "-c", ACTOR, str(self.folder), str(self.iterations), self.act]


def job(folder, name="detection/semi-seed0", kind=Acted, **changes):
    settings = dict(seed=0, iterations=20, val_interval=10, text="lr = 1")
    return kind(name, Path("c.py"), folder / name, **{**settings, **changes})


def test_jobs_run_to_their_end_and_are_known_later(tmp_path, capsys):
    jobs = [job(tmp_path, f"task/{i}") for i in range(3)]
    assert not any(one.finished for one in jobs)
    run_jobs(jobs, parallel=2)
    assert all(one.finished and one.done == 20 for one in jobs)
    assert all(job(tmp_path, f"task/{i}").finished for i in range(3))
    said = capsys.readouterr().out
    assert all(f"task/{i}: 20 of 20 iterations, done" in said for i in range(3))


@pytest.mark.parametrize("change", [dict(seed=1), dict(text="lr = 2"), dict(iterations=10)])
def test_another_request_is_another_run(tmp_path, change):
    run_jobs([job(tmp_path)], parallel=1)
    other = job(tmp_path, **change)
    assert not other.finished and not other.known and other.done == 0


def test_an_interrupted_run_is_resumed_another_one_is_not(tmp_path):
    first = job(tmp_path, kind=Job, options=["a=1"])
    assert "--resume" not in first.command() and first.command()[-2:] == ["--cfg-options", "a=1"]
    (first.folder / "checkpoints").mkdir(parents=True)
    (first.folder / "checkpoints" / "iter_10.pth").touch()
    assert "--resume" not in first.command()
    (first.folder / "request.json").write_text(json.dumps(first.request))
    assert "--resume" in first.command()
    assert "--resume" not in job(tmp_path, kind=Job, seed=3).command()


def test_a_training_that_fails_is_named_with_its_last_words(tmp_path):
    bad = job(tmp_path, "bad")
    bad.act = "die"
    slow = job(tmp_path, "slow")
    slow.act = "hang"
    with pytest.raises(RunError, match="bad ended with exit code 1") as caught:
        run_jobs([slow, bad], parallel=2)
    assert "no such file: labels.json" in str(caught.value)
    assert slow.process.poll() is not None  # nobody is left behind
    assert "bad" in str(caught.value) and not slow.finished


def test_interruption_ends_the_trainings(tmp_path, monkeypatch):
    slow = job(tmp_path)
    slow.act = "hang"

    def interrupt(_):
        slow.look()
        if slow.done == 20:
            raise KeyboardInterrupt
        time.sleep(0.01)

    monkeypatch.setattr("ssdet.cli.jobs.time", type("T", (), {"sleep": staticmethod(interrupt)}))
    with pytest.raises(KeyboardInterrupt):
        run_jobs([slow], parallel=1)
    assert slow.process.returncode == -15 and slow.known


def test_status_in_words(tmp_path):
    one = job(tmp_path)
    assert one.status == "starting"
    one.done, one.last = 15, {"pseudo/kept": 2.0, "loss": 1.5}
    assert one.status == "kept 2.00  loss 1.50"
    one.done, one.evaluated = 20, 10
    assert one.status == "evaluating"


def test_plain_lines_tell_the_time_left_and_are_rare(tmp_path, capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("ssdet.cli.bars.time.monotonic", lambda: now[0])
    one, lines = job(tmp_path, iterations=100), PlainLines()
    for second, done in ((0, 0), (1, 10), (2, 11), (16, 25), (31, 40)):
        now[0], one.done = 100.0 + second, done
        lines.show(one)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "0 of 100 iterations, starting" in said[0]
    # 15 iterations in 15 seconds, then 30 in 30: a second for each of those that are left.
    assert said[1].endswith(", 1.2 min left") and said[2].endswith(", 1.0 min left")


@pytest.mark.parametrize("wrong", [["--iterations", "3"], ["--parallel", "0"]])
def test_wrong_numbers_are_refused(wrong, tmp_path, capsys):
    assert main(["quickstart", "--out", str(tmp_path), *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.mark.reliability
def test_the_whole_thing(tmp_path, capsys):
    command = ["quickstart", "--configs", str(CONFIGS), "--tasks", "segmentation"]
    command += ["--out", str(tmp_path), "--iterations", "4"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "2 trainings" in said and "Teacher" in said and "Baseline" in said
    page = (tmp_path / "report.html").read_text()
    assert "mean IoU" in page
    sections = [part.partition("</h")[::2] for part in re.split("<h3[^>]*>", page)[1:]]
    pictures = {title: text.count("data:image/jpeg") for title, text in sections}
    assert {title: count for title, count in pictures.items() if count} == {
        "The teacher's labels": 8, "The same images over time": 4, "Where it fails": 8,
        "What goes into the model": 2,
    }  # fmt: skip
    metrics = tmp_path / "segmentation/semi-seed0/metrics.jsonl"
    before = metrics.stat().st_mtime_ns
    assert main(command) == 0
    assert (
        metrics.stat().st_mtime_ns == before
        and "2 of them finished earlier" in capsys.readouterr().out
    )


def test_the_first_line_comes_before_anything_that_takes_time(monkeypatch, capsys):
    def read_configs(args):
        raise RunError("reached")

    monkeypatch.setattr(quickstart, "_trainings", read_configs)
    assert main(["quickstart", "--tasks", "detection"]) == RunError.exit_code
    assert capsys.readouterr().out == (
        "ssdet quickstart: detection on scenes of handwritten digits\n"
    )
