"""Runs of earlier releases are resumed; see tests/fixtures/make.py."""

import json
import math
import shutil

import pytest
import torch
from mmengine.registry import RUNNERS

from ssdet.cli import main
from ssdet.engine import read_checkpoint, read_metrics
from ssdet.engine.configs import load_config
from ssdet.hooks import QuantileThresholdHook, TeacherEMAHook
from ssdet.version import __version__
from tests.fixtures.make import RUNS
from tests.reliability.harness import checkpoint

RELEASES = sorted(path.name for path in RUNS.iterdir())


@pytest.fixture(params=RELEASES)
def run(request, tmp_path):
    return shutil.copytree(RUNS / request.param, tmp_path / "run")


def resumed(run, iterations):
    cfg = load_config(str(run / "config.py"))
    cfg.work_dir, cfg.resume = str(run), True
    cfg.train_cfg.update(max_iters=iterations, val_interval=iterations)
    return RUNNERS.build(cfg)


def test_this_release_has_its_run():
    assert __version__.partition("+")[0] in RELEASES


def test_everything_that_was_saved_comes_back(run):
    saved = read_checkpoint(run / "checkpoints/iter_2.pth")
    runner = resumed(run, 2)
    runner.train()
    assert runner.iter == 2
    state = runner.model.state_dict()
    assert state.keys() == saved["state_dict"].keys()
    assert all(torch.equal(state[name], value) for name, value in saved["state_dict"].items())
    hooks = {type(hook): hook for hook in runner.hooks}
    assert hooks[TeacherEMAHook].updates == 2
    assert int((hooks[QuantileThresholdHook].history.queue > 0).sum()) > 0
    momentum = runner.optim_wrapper.state_dict()["state"]
    assert momentum.keys() == saved["optimizer"]["state"].keys()


def test_it_goes_on_from_there(run):
    resumed(run, 4).train()
    lines = read_metrics(run / "metrics.jsonl")
    assert [x["iter"] for x in lines if x["mode"] == "train"] == [1, 2, 3, 4]
    assert all(math.isfinite(x["loss"]) for x in lines if x["mode"] == "train")
    assert checkpoint(run, 4)["meta"]["iter"] == 4
    index = json.loads((run / "checkpoints/index.json").read_text())["files"]
    assert list(index) == ["iter_2.pth", "iter_4.pth"]


def test_it_is_exported(run, tmp_path):
    path = str(run / "checkpoints/iter_2.pth")
    assert main(["export", path, "--out", str(tmp_path / "out")]) == 0
    weights = read_checkpoint(tmp_path / "out/model.pth")["state_dict"]
    saved = read_checkpoint(path)["state_dict"]
    assert all(torch.equal(value, saved[f"teacher.{name}"]) for name, value in weights.items())
