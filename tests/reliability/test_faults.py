"""Whatever breaks in the midst of a run: one message, the right exit code, and a run to resume."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from ssdet.engine import find_latest

from .harness import CONFIGS, LIMIT, ROOT, checkpoint, difference, metrics, train

pytestmark = pytest.mark.reliability
CONFIG = "segmentation.py"  # two workers


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults") / "whole"
    train(CONFIG, folder)
    return folder


def broken(whole, name, code, *options, resume="--resume", **fault):
    """A run that breaks and is resumed; what it said, and the iterations that it had saved."""
    folder = whole.parent / name
    output = train(CONFIG, folder, *options, expected=code, **fault)
    assert "Traceback" not in output
    assert output.count("ssdet train: ") == 1, output
    record = json.loads((folder / "run.json").read_text())
    assert (record["exit_code"], (folder / ".lock").exists()) == (code, False)
    assert_gone(f"{folder}.out")
    saved, damaged = find_latest(folder)
    assert damaged == []
    train(CONFIG, folder, resume)
    found = difference(checkpoint(whole, 10), checkpoint(folder, 10))
    assert found is None, found
    assert metrics(whole) == metrics(folder)
    return output, int(saved.stem.rpartition("_")[2])


def assert_gone(output):
    """Nothing is left; a data worker looks every five seconds whether its parent is there."""
    end = time.time() + LIMIT
    while left := _left(output):
        assert time.time() < end, f"processes {left} of the run are still there"
        time.sleep(0.1)


def _left(output):
    """Processes whose standard output is the file `output`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if os.readlink(f"/proc/{pid}/fd/1") == str(output):
                found.append(pid)
    return found


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("9", 71, "a data worker (process "),
        ("raise", 71, "data worker 0 failed: RuntimeError: fault on demand."),
        ("sleep", 71, "no data worker has delivered a batch for 5 seconds"),
        ("image", 65, "ssdet train: shapes/7.png: does not decode as an image\nRepair it\n"),
    ],
)
def test_a_worker_that_dies_fails_or_hangs(whole, action, code, words):
    options = ("--cfg-options", "train_dataloader.timeout=5") if action == "sleep" else ()
    fault = f"worker:5:{action}"  # the batch of the ninth iteration
    output, saved = broken(whole, f"worker_{action}", code, *options, SSDET_FAULT=fault)
    assert words in output
    # A dead worker may take a batch with it that it had already made.
    assert saved == 8 or (action == "9" and saved in (6, 7))
    assert saved == 6 or f"Saved the state after iteration {saved}" in output


def test_a_disk_that_is_full_for_every_file(whole):
    """Log, metrics, run.json and standard output can grow no more: the saved state is whole."""
    folder = whole.parent / "disk"
    train(CONFIG, folder, expected=74, SSDET_FAULT="after_train_iter:4:fill")
    assert find_latest(folder) == (folder / "checkpoints/iter_3.pth", [])
    assert json.loads((folder / "run.json").read_text())["state"] == "running"  # as it was
    assert [line["iter"] for line in metrics(folder)] == [1, 2, 3]
    train(CONFIG, folder, "--resume")
    assert difference(checkpoint(whole, 10), checkpoint(folder, 10)) is None
    assert metrics(whole) == metrics(folder)


@pytest.mark.parametrize("network", ["teacher", "student"])
def test_no_memory_left_names_what_helps(whole, network):
    output, saved = broken(whole, f"oom_{network}", 71, SSDET_FAULT=f"{network}:7:memory")
    assert f"in the pass of the {network}, iteration " in output
    for words in ("accumulative_counts", "--amp", "with_cp=True", "Tried to allocate 2.00 GiB"):
        assert words in output
    assert saved == {"teacher": 6, "student": 3}[network]  # nothing is saved in the midst of a step


@pytest.mark.parametrize("network", ["teacher", "student"])
def test_a_step_in_parts_has_the_same_gradient(whole, network):
    """Batch norm, dropout, two passes: the same bits at the end, and the same numbers."""
    folder = whole.parent / f"parts_{network}"
    options = ("--cfg-options", "default_hooks.memory.oom=retry")
    output = train(CONFIG, folder, *options, SSDET_FAULT=f"{network}:6:memory")
    assert f"no memory left in the pass of the {network}" in output
    assert "the step is taken in parts (1 so far)" in output
    assert difference(checkpoint(whole, 10), checkpoint(folder, 10)) is None
    assert metrics(whole) == metrics(folder)


def test_workers_of_the_validation_change_nothing(whole, tmp_path):
    options = ["val_dataloader.num_workers=2", "val_dataloader.persistent_workers=False"]
    train(CONFIG, tmp_path / "two", "--cfg-options", *options)
    assert metrics(tmp_path / "two") == metrics(whole)
    assert difference(checkpoint(whole, 10), checkpoint(tmp_path / "two", 10)) is None


def interrupted(tmp_path, when, *options):
    """`ssdet train` in a process of its own, and Ctrl-C as soon as `when(output)` is true."""
    command = [sys.executable, "-m", "ssdet.cli", "train", str(CONFIGS / CONFIG)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    log = tmp_path / "output"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--work-dir", str(tmp_path / "run"), *options], cwd=tmp_path,
            env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        end = time.time() + LIMIT
        try:
            while process.poll() is None and not when(log.read_text()) and time.time() < end:
                time.sleep(0.02)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            return process.wait(LIMIT), log.read_text()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("word", ["loading PyTorch", "unlabeled images, sha256"])
def test_ctrl_c_while_the_run_is_prepared(tmp_path, word):
    endless = ("--cfg-options", "train_cfg.max_iters=1000000")  # however late the signal is sent
    code, output = interrupted(tmp_path, lambda text: word in text, *endless)
    assert code == 130 and "Traceback" not in output and "Exception ignored" not in output
    lines = [line for line in output.splitlines() if "nterrupt" in line or "SIGINT" in line]
    assert lines and not (tmp_path / "run/.lock").exists()


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.2 * n for n in range(1, 40, 2)])
def test_ctrl_c_at_any_moment(tmp_path, seconds):
    start = []

    def when(text):
        if "loading PyTorch" in text:
            start.append(time.time())
        return bool(start) and time.time() - start[0] >= seconds

    code, output = interrupted(tmp_path, when)
    assert code in (0, 130), output[-3000:]
    assert "Traceback" not in output and "Exception ignored" not in output, output[-3000:]
    assert code == 0 or "nterrupted" in output or "SIGINT" in output
    assert_gone(tmp_path / "output")
    stopped = re.search(r"Stopped by SIGINT after iteration (\d+)", output)
    if stopped or code == 0:
        assert not (tmp_path / "run/.lock").exists()
    if stopped:
        saved, damaged = find_latest(tmp_path / "run")
        done = int(saved.stem.rpartition("_")[2]) if saved else 0
        assert (done, damaged) == (int(stopped[1]), [])
