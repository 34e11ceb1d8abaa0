"""A kill -9 after any iteration, for every recipe, costs nothing: the same bits at the end.

In one process: what a kill leaves behind is the run folder, so a run is resumed from a copy of the
folder in which the later checkpoints are missing, and everything else is as it was at the end. The
two tests with real kills are in test_resume.py and at the end of this file.
"""

import gc
import json
import shutil

import pytest
from mmengine.registry import HOOKS

from ssdet.engine import read_checkpoint
from tests.test_demos import DEMOS, ConfidenceForTests, run, small

from .harness import checkpoint, difference, metrics, train

ITERATIONS = 5
# A memory of images, statistics of scores, several networks, a mix of pixels.
IN_MAKE_TEST = {
    "mixpl/gfl_demo.py": [3],
    "consistent_teacher/retinanet_demo.py": [2],
    "dual_teacher/deeplabv3plus_demo.py": [4],
    "unimatch/deeplabv3plus_demo.py": [1],
}


@pytest.fixture(autouse=True)
def _confidence():
    HOOKS.register_module(module=ConfidenceForTests, force=True)
    yield
    del HOOKS.module_dict["ConfidenceForTests"]


def config(name, work_dir):
    cfg = small(name, work_dir, ITERATIONS)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
    cfg.work_dir = str(work_dir)
    return cfg


def kill_after(whole, iteration, other):
    """The run folder as a kill after this iteration leaves it; other files may be newer still."""
    shutil.copytree(whole, other)
    index = json.loads((other / "checkpoints/index.json").read_text())
    for name in list(index["files"]):
        if read_checkpoint(other / "checkpoints" / name)["meta"]["iter"] > iteration:
            (other / "checkpoints" / name).unlink()
            del index["files"][name]
    (other / "checkpoints/index.json").write_text(json.dumps(index))


def check(name, tmp_path, kills):
    whole = tmp_path / "whole"
    run(config(name, whole))
    assert len(metrics(whole)) == ITERATIONS + 1
    for iteration in kills:
        other = tmp_path / f"killed_{iteration}"
        kill_after(whole, iteration, other)
        cfg = config(name, other)
        cfg.resume = True
        assert run(cfg).iter == ITERATIONS
        log = (other / "train.log").read_text()
        assert f"resumed epoch: 0, iter: {iteration}" in log
        last = f"killed after {iteration}: "
        found = difference(checkpoint(whole, ITERATIONS), checkpoint(other, ITERATIONS))
        assert found is None, last + found
        assert metrics(whole) == metrics(other), last
        shutil.rmtree(other)
        gc.collect()


@pytest.mark.parametrize("name", IN_MAKE_TEST)
def test_a_recipe_goes_on_bit_for_bit(name, tmp_path):
    check(name, tmp_path, IN_MAKE_TEST[name])


@pytest.mark.long
@pytest.mark.parametrize("name", DEMOS)
def test_every_recipe_goes_on_bit_for_bit_after_every_kill(name, tmp_path):
    check(name, tmp_path, range(1, ITERATIONS))


@pytest.mark.long
@pytest.mark.reliability
@pytest.mark.parametrize("kind", ["detection", "segmentation"])
def test_kill_9_after_every_iteration(kind, tmp_path):
    """Real kills, with a checkpoint every third iteration: the work since then is done again."""
    whole = tmp_path / "whole"
    train(f"{kind}.py", whole)
    for iteration in range(1, 11):
        other = tmp_path / f"killed_{iteration}"
        train(f"{kind}.py", other, expected=-9, SSDET_FAULT=f"after_train_iter:{iteration}:9")
        train(f"{kind}.py", other, "--resume")
        found = difference(checkpoint(whole, 10), checkpoint(other, 10))
        assert found is None, f"killed after {iteration}: {found}"
        assert metrics(whole) == metrics(other), iteration
