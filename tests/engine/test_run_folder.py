"""One folder, one run at a time, and its numbers in one place."""

import json
import math
import os
import socket
import subprocess
import sys

import pytest
from mmengine.config import Config

from ssdet.datasets import BadImageError
from ssdet.engine import LockedError, Stopped, UsageError, read_metrics
from ssdet.engine.metrics_file import MetricsFileHook, _scalar
from ssdet.engine.run_folder import LOCK, FolderLock

from .toy import toy

HOST = socket.gethostname()


def lock(folder, pid, host=HOST):
    text = json.dumps({"pid": pid, "host": host, "since": "today"})
    (folder / LOCK).write_text(text)


def test_a_run_leaves_these_files_and_no_others(tmp_path):
    toy(tmp_path).train()
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoints", "config.py", "last_checkpoint", "metrics.jsonl", "report.html", "run.json",
        "train.log",
    ]  # fmt: skip
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["state"], record["exit_code"], record["seed"]) == ("finished", 0, 0)
    assert record["data"] == {
        "train": {"images": 8, "sha256": "abc"}, "val": {"images": 8, "sha256": None},
    }  # fmt: skip
    assert record["versions"]["torch"] and record["command"] and record["end"] >= record["start"]
    assert Config.fromfile(tmp_path / "config.py").train_cfg.max_iters == 6


def test_a_folder_in_use_is_refused_with_its_owner(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        lock(tmp_path, process.pid)
        with pytest.raises(LockedError, match=rf"in use by process {process.pid} on {HOST}"):
            toy(tmp_path).train()
        # The first one's log gets no line from the second either.
        assert sorted(os.listdir(tmp_path)) == [".lock"]
    finally:
        process.kill()
        process.communicate()
    toy(tmp_path).train()  # its owner is gone now
    assert not (tmp_path / LOCK).exists()


def test_a_folder_taken_while_the_run_was_prepared_is_refused(tmp_path):
    """Between the first look and the first step the data were read: minutes, in a real run."""
    mine = FolderLock(tmp_path)
    mine.refuse_others()
    lock(tmp_path, os.getppid())
    with pytest.raises(LockedError, match=f"in use by process {os.getppid()} on {HOST}"):
        mine.acquire()
    mine.release()
    assert (tmp_path / LOCK).exists()


def test_two_runs_of_one_second_share_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1.8e9)
    first, second = (
        toy(tmp_path / scope, experiment_name="same", default_scope=scope)
        for scope in ("mmengine", "mmseg")
    )
    assert first.experiment_name != second.experiment_name
    assert [run.default_scope.scope_name for run in (first, second)] == ["mmengine", "mmseg"]
    assert first.logger is not second.logger


@pytest.mark.parametrize("text", ["", "{}", "[1]", f'{{"pid": 999999999, "host": "{HOST}"}}'])
def test_a_stale_or_broken_lock_is_taken_over(tmp_path, text):
    (tmp_path / LOCK).write_text(text)
    FolderLock(tmp_path).acquire()
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_lock_of_another_host_is_believed(tmp_path):
    lock(tmp_path, 999999999, host="elsewhere")
    with pytest.raises(LockedError, match="on elsewhere"):
        FolderLock(tmp_path).acquire()


def test_an_earlier_run_is_moved_aside(tmp_path):
    for number in range(3):
        toy(tmp_path, train_cfg__max_iters=6 + number).train()
    assert (tmp_path / "earlier-1/checkpoints/iter_6.pth").is_file()
    assert len(read_metrics(tmp_path / "earlier-2/metrics.jsonl")) == 7 + 3
    assert (tmp_path / "checkpoints/iter_8.pth").is_file()
    assert read_metrics(tmp_path / "metrics.jsonl")[0]["iter"] == 1


@pytest.mark.parametrize("error", [ValueError("oh no"), BadImageError("a.png: empty"), Stopped(15)])
def test_how_a_run_ended_is_written_down(tmp_path, error):
    runner = toy(tmp_path)

    def fail(*_, **__):
        raise error

    runner.model.train_step = fail
    with pytest.raises(type(error)):
        runner.train()
    record = json.loads((tmp_path / "run.json").read_text())
    state, code = {
        ValueError: ("failed: ValueError: oh no", 1), Stopped: ("stopped by SIGTERM", 143),
        BadImageError: ("failed: BadImageError: a.png: empty", 65),
    }[type(error)]  # fmt: skip
    assert (record["state"], record["exit_code"]) == (state, code)
    assert not (tmp_path / LOCK).exists()


def test_metrics_are_means_over_the_interval(tmp_path):
    toy(tmp_path / "one").train()
    toy(tmp_path / "three", default_hooks__metrics__interval=3).train()
    one = [x for x in read_metrics(tmp_path / "one/metrics.jsonl") if x["mode"] == "train"]
    three = [x for x in read_metrics(tmp_path / "three/metrics.jsonl") if x["mode"] == "train"]
    assert [x["iter"] for x in three] == [3, 6]
    for name in ("loss", "pseudo/kept"):
        assert three[1][name] == pytest.approx(sum(x[name] for x in one[3:]) / 3)
    assert three[1]["lr"] == one[5]["lr"]


def test_metrics_file_survives_a_cut_line_and_odd_values(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"mode": "train", "iter": 1}\n{"mode": "tra')
    assert read_metrics(path) == [{"mode": "train", "iter": 1}]
    assert _scalar(math.nan) is None and _scalar([1]) is ... and _scalar("x") == "x"
    with pytest.raises(UsageError, match="interval=0"):
        MetricsFileHook(interval=0)
