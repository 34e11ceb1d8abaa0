"""A process of several dies or hangs: the others end in time, and the run resumes bit for bit."""

import json
import os
import subprocess
import sys
import time

import pytest
import torch

from ssdet.engine.checkpoint_file import read_checkpoint

from .harness import CONFIGS, ROOT, checkpoint, difference, free_port, metrics
from .torchrun import Torchrun

pytestmark = [
    pytest.mark.long, pytest.mark.reliability,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc"),
]  # fmt: skip
CONFIG = "distributed_ranks.py"
MESSAGE = "waited in vain for another process after iteration"
WAIT, ENDS = 20, 30  # seconds: for another process, and what torchrun leaves to one that shall end


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("ranks") / "whole"
    run = Torchrun(CONFIG, folder)
    assert run.wait() == 0, run.output[-4000:]
    assert_gone(run)
    return folder


def assert_gone(*runs):
    """Nothing is left; a data worker looks every five seconds whether its parent is there."""
    end = time.time() + 60
    while left := [number for run in runs for number in run.alive()]:
        assert time.time() < end, f"processes {left} are left"
        time.sleep(0.5)


def assert_equal(folder, whole):
    for rank in (0, 1):
        one, other = (
            torch.load(each / f"rank_{rank}.pth", weights_only=True) for each in (folder, whole)
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    one, other = checkpoint(folder, 6), checkpoint(whole, 6)
    for each in (one, other):  # the first process saves what it has counted since the last line
        del each["step_hooks"]["PseudoLabelMonitorHook"]
    assert difference(one, other) is None
    assert metrics(folder) == metrics(whole)


def test_torchrun_starts_a_run_again_and_it_resumes_bit_for_bit(tmp_path, whole):
    """Killed before the first checkpoint (of the third iteration), and killed after it."""
    folder = tmp_path / "run"
    fault = "after_train_iter:2:9,after_train_iter:5:9"
    run = Torchrun(CONFIG, folder, restarts=2, SSDET_FAULT=fault, SSDET_FAULT_RANK="1")
    assert run.wait() == 0, run.output[-4000:]
    assert run.output.count(f"rank 0 {MESSAGE}") == 2 and "Traceback" not in run.output
    assert run.output.count("Nothing to resume") == 1
    assert run.output.count("resumed epoch: 0, iter: 3") == 1
    assert_gone(run)
    assert_equal(folder, whole)


def test_a_rank_that_hangs_keeps_the_others_for_a_limited_time(tmp_path):
    folder = tmp_path / "run"
    limit = ["--cfg-options", f"env_cfg.dist_cfg.timeout={WAIT}"]
    fault = dict(SSDET_FAULT="after_train_iter:4:hang", SSDET_FAULT_RANK="0")
    run = Torchrun(CONFIG, folder, *limit, **fault)
    run.says("fault: hanging")
    start = time.time()
    assert run.wait() == 1
    assert time.time() - start < WAIT + ENDS + 30
    assert run.codes() == {1: 71, 0: -9}
    assert run.output.count(f"rank 1 {MESSAGE}") == 1
    assert_gone(run)
    assert read_checkpoint(folder / "checkpoints/iter_3.pth")["meta"]["iter"] == 3


def test_two_machines(tmp_path, whole):
    """One loses its power, the other ends; both start again, and one more process is killed."""
    folder, port = tmp_path / "run", free_port()
    hang = dict(SSDET_FAULT="after_train_iter:4:hang", SSDET_FAULT_RANK="1")
    runs = [Torchrun(CONFIG, folder, node=(number, port), **hang) for number in (0, 1)]
    runs[1].says("fault: hanging")
    runs[1].kill()
    start = time.time()
    assert runs[0].wait() == 1
    assert time.time() - start < 60
    assert runs[0].codes() == {0: 71}
    assert runs[0].output.count(f"rank 0 {MESSAGE}") == 1
    assert_gone(*runs)
    assert read_checkpoint(folder / "checkpoints/iter_3.pth")["meta"]["iter"] == 3
    fault = dict(SSDET_FAULT="after_train_iter:5:9", SSDET_FAULT_RANK="1")
    port = free_port()
    runs = [
        Torchrun(CONFIG, folder, "--resume", node=(number, port), restarts=1, **fault)
        for number in (0, 1)
    ]
    assert [run.wait() for run in runs] == [0, 0], runs[0].output[-4000:] + runs[1].output[-4000:]
    assert_gone(*runs)
    assert_equal(folder, whole)


def test_gpus_starts_the_processes_itself(tmp_path, whole):
    """`ssdet train --gpus 2` is the same run as that of two processes under torchrun."""
    command = ["train", str(CONFIGS / CONFIG), "--gpus", "2", "--work-dir", str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "ssdet.cli", *command], cwd=tmp_path, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "starting 2 processes" in done.stdout
    assert json.loads((tmp_path / "run/run.json").read_text())["world_size"] == 2
    assert_equal(tmp_path / "run", whole)
