"""A run that is killed, stopped or misled goes on as if nothing had been."""

import json
import os
import signal
import time

import pytest
import torch

from .harness import LIMIT, Run, checkpoint, difference, metrics, train

pytestmark = pytest.mark.reliability


@pytest.fixture(scope="module", params=["detection", "segmentation"])
def whole(request, tmp_path_factory):
    """An uninterrupted run: detection without workers, segmentation with two."""
    folder = tmp_path_factory.mktemp(request.param)
    train(f"{request.param}.py", folder / "whole", "--work-dir", folder / "whole")
    return folder / "whole"


def same_as(whole, other):
    found = difference(checkpoint(whole, 10), checkpoint(other, 10))
    assert found is None, found
    assert metrics(whole) == metrics(other)
    assert (other / "checkpoints/iter_10.pth").is_file()


def config_of(whole):
    return f"{whole.parent.name.rstrip('0123456789')}.py"


def test_the_run_does_what_it_should(whole):
    """What the comparisons below rest on: both models learn, and with the teacher's labels."""
    lines = metrics(whole)
    assert [x["iter"] for x in lines if x["mode"] == "train"] == list(range(1, 11))
    assert [x["iter"] for x in lines if x["mode"] == "val"] == [5, 10]
    # Burn-in of two iterations, then the teacher is asked.
    assert ["pseudo/kept" in x for x in lines if x["mode"] == "train"] == [False] * 2 + [True] * 8
    assert any(x.get("pseudo/kept") for x in lines)
    assert any(name.startswith("teacher/") for name in lines[-1])
    state = checkpoint(whole, 10)["state_dict"]
    assert not any(
        torch.equal(state[name], state["teacher" + name[len("student") :]])
        for name in state
        if name.startswith("student.") and name.endswith("conv1.weight")
    )
    assert checkpoint(whole, 10)["step_hooks"]["TeacherEMAHook"]["updates"] == 10


def test_kill_9_and_resume_is_bit_identical(whole):
    """Killed after 7 of 10, saved at 6; the burn-in of 2 lies before, the validation of 5 too."""
    other = whole.parent / "killed"
    train(config_of(whole), other, expected=-9, SSDET_FAULT="after_train_iter:7:9")
    assert not (other / "checkpoints/iter_7.pth").exists()
    output = train(config_of(whole), other, "--resume")
    assert "iter: 6" in output
    same_as(whole, other)


@pytest.mark.parametrize("whole", ["segmentation"], indirect=True)
def test_a_changed_config_is_refused_unless_accepted(whole):
    other = whole.parent / "changed"
    train(config_of(whole), other, expected=-9, SSDET_FAULT="after_train_iter:7:9")
    record = (other / "run.json").read_text()
    change = ("--cfg-options", "model.unsup_weight=2.0")
    output = train(config_of(whole), other, "--resume", *change, expected=2)
    assert "model.unsup_weight: (absent) -> 2.0" in output and "Traceback" not in output
    assert (other / "run.json").read_text() == record
    output = train(config_of(whole), other, "--resume-anyway", *change)
    assert "Resumed anyway" in output
    assert difference(checkpoint(whole, 10), checkpoint(other, 10)) is not None


def test_another_number_of_workers_gives_the_same(whole):
    workers = 2 if config_of(whole) == "detection.py" else 0
    options = [f"train_dataloader.num_workers={workers}"]
    if workers == 0:
        options.append("train_dataloader.persistent_workers=False")
    other = whole.parent / "workers"
    train(
        config_of(whole), other, "--cfg-options", *options,
        expected=-9, SSDET_FAULT="after_train_iter:4:9",
    )  # fmt: skip
    train(config_of(whole), other, "--resume", "--cfg-options", *options)
    found = difference(checkpoint(whole, 10), checkpoint(other, 10))
    assert found is None, found
    assert metrics(whole) == metrics(other)


def test_sigterm_to_the_whole_group_saves_and_resumes(whole):
    other = whole.parent / "stopped"
    log = whole.parent / "stopped.out"
    run = Run(
        "train", _config(whole), "--work-dir", other, log=log,
        SSDET_FAULT="after_train_iter:4:sleep",
    )  # fmt: skip
    _wait_for(lambda: "fault: sleeping" in run.output, run)
    children = _children(run.process.pid)
    os.killpg(run.process.pid, signal.SIGTERM)
    output = run.wait(143)
    assert "Stopped by SIGTERM after iteration 4" in output and "Traceback" not in output
    assert json.loads((other / "run.json").read_text())["exit_code"] == 143
    _wait_for(lambda: not any(_alive(pid) for pid in children), run)
    if config_of(whole) == "segmentation.py":
        assert len(children) == 2
    train(config_of(whole), other, "--resume")
    same_as(whole, other)


@pytest.mark.parametrize("whole", ["segmentation"], indirect=True)
def test_sigint_during_a_validation_does_not_wait_for_its_end(whole):
    other = whole.parent / "interrupted"
    output = train(config_of(whole), other, expected=130, SSDET_FAULT="after_val_iter:1:2")
    assert "Stopped by SIGINT after iteration 5" in output and "Traceback" not in output
    output = train(config_of(whole), other, "--resume")
    assert "The validation of iteration 5 was cut short: repeating it" in output
    same_as(whole, other)


@pytest.mark.parametrize("whole", ["segmentation"], indirect=True)
@pytest.mark.parametrize("point", ["save:30000", "rename:2"])
def test_kill_9_while_saving_loses_one_interval_at_most(whole, point):
    """Only one checkpoint is kept, so that the old one would be gone if it were removed first."""
    other = whole.parent / point.replace(":", "")
    settings = (
        "--cfg-options",
        "default_hooks.checkpoint.max_keep_ckpts=1",
        "default_hooks.checkpoint.save_best=None",
    )
    fault = f"{point}:9" if point.startswith("rename") else "save:30000:9:2"
    train(config_of(whole), other, *settings, expected=-9, SSDET_FAULT=fault)
    assert sorted(p.name for p in (other / "checkpoints").iterdir()) == [
        "index.json", "iter_3.pth", "iter_6.pth.tmp",
    ]  # fmt: skip
    output = train(config_of(whole), other, "--resume", *settings)
    assert "iter: 3" in output and "Removed iter_6.pth.tmp" in output
    same_as(whole, other)


@pytest.mark.parametrize("whole", ["segmentation"], indirect=True)
def test_a_full_disk_ends_the_run_with_74_and_the_numbers(whole):
    other = whole.parent / "full"
    output = train(config_of(whole), other, expected=74, SSDET_FAULT="save:30000:full:2")
    assert "No space left on device; needed about" in output and "Traceback" not in output
    assert checkpoint(other, 3)["meta"]["iter"] == 3
    assert not (other / "checkpoints/iter_6.pth.tmp").exists()


@pytest.mark.parametrize("whole", ["detection"], indirect=True)
def test_nan_in_the_losses_stops_with_70_and_clean_weights(whole):
    other = whole.parent / "nan"
    output = train(config_of(whole), other, expected=70, SSDET_FAULT="loss:4:nan")
    assert "3 skipped steps in a row end the run" in output and "Traceback" not in output
    dump = json.loads((other / "nan_dump/iter_6.json").read_text())
    branches = [item["branch"] for item in dump["images"]]
    assert sorted(set(branches)) == ["sup", "unsup_student", "unsup_teacher"]
    assert all("digit-scenes" in item["path"] for item in dump["images"])
    saved = checkpoint(other, 3)["state_dict"]
    assert all(bool(torch.isfinite(v).all()) for v in saved.values() if v.is_floating_point())


def _config(whole):
    from .harness import CONFIGS

    return CONFIGS / config_of(whole)


def _wait_for(condition, run, limit=LIMIT):
    end = time.time() + limit
    while not condition():
        assert time.time() < end, run.output[-3000:]
        time.sleep(0.05)


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
