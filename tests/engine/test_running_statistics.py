"""One NaN in a batch reaches neither the running statistics nor anything made from them."""

import json
import math

import pytest
import torch
from mmengine.hooks import Hook

from ssdet.engine import NumericError, SafeRunner, read_metrics
from ssdet.engine.configs import load_config
from ssdet.engine.running_statistics import RunningStatistics
from tests.reliability.harness import CONFIGS, checkpoint, difference

from .toy import toy

BRANCHES = ("sup", "unsup_teacher", "unsup_student")
NORM = dict(type="BN")
ITERATIONS, BAD = 12, 6


class PoisonHook(Hook):
    """One NaN pixel in one branch of one batch."""

    def __init__(self, branch):
        self.branch = branch

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == BAD:
            images = data_batch["inputs"][self.branch]
            place = next(i for i, image in enumerate(images) if image is not None)
            images[place] = images[place].float()
            images[place][0, 5, 5] = math.nan


def train(work_dir, branch, **options):
    """A segmentor with batch norm, a second network, and a teacher of each."""
    config = load_config(str(CONFIGS / "several_networks.py"), {"method": "dual", **options})
    config.merge_from_dict({"train_cfg.max_iters": ITERATIONS, "train_cfg.val_interval": 100})
    config.model.segmentor.backbone.norm_cfg = NORM
    for network in (config.model.segmentor, *config.model.auxiliary.values()):
        network.backbone.norm_cfg = network.decode_head.norm_cfg = NORM
    config.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1, save_best=None)
    config.work_dir = str(work_dir)
    for part in ("val_dataloader", "val_cfg", "val_evaluator"):
        config[part] = None
    runner = SafeRunner.from_cfg(config)
    runner.register_hook(PoisonHook(branch))
    runner.train()
    return runner


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_nan_pixel_changes_nothing_but_the_count(tmp_path, branch):
    runner = train(tmp_path, branch)
    # A NaN that only the teacher sees gives it nothing to say; the step itself is sound.
    skipped = 0 if branch == "unsup_teacher" else 1
    assert checkpoint(tmp_path, ITERATIONS)["finite_guard"]["total"] == skipped
    statistics = [name for name in runner.model.state_dict() if "running" in name]
    parts = {name.split(".")[0] for name in statistics}
    assert parts == {"student", "teacher", "auxiliary", "auxiliary_teachers"}
    for iteration in range(1, ITERATIONS + 1):
        saved = checkpoint(tmp_path, iteration)["state_dict"]
        bad = [k for k, v in saved.items() if v.is_floating_point() and not v.isfinite().all()]
        assert not bad, f"iteration {iteration}: {len(bad)}, first {bad[0]}"
    before, after = (checkpoint(tmp_path, i)["state_dict"] for i in (BAD - 1, BAD))
    for state in (before, after):
        state.pop("_iteration")
    assert (difference(before, after) is None) == bool(skipped)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert all(
        line["pseudo/kept"] > 0 for line in lines if line["iter"] > 2 and line["iter"] != BAD
    )


def test_the_smoothed_loss_leaves_the_skipped_step_out(tmp_path):
    options = {"default_hooks.metrics.interval": 4, "default_hooks.logger.interval": 4}
    train(tmp_path, "sup", **options)
    values = [line["loss"] for line in read_metrics(tmp_path / "metrics.jsonl")]
    assert len(values) == 3 and all(value is not None for value in values)
    lines = (tmp_path / "train.log").read_text().splitlines()
    progress = [line for line in lines if "Iter(train)" in line]
    assert len(progress) == 7 and not any("nan" in line for line in progress)
    dump = json.loads((tmp_path / "nan_dump" / f"iter_{BAD}.json").read_text())
    assert any(name.startswith("student") for name in dump["bad_running_statistics"])


def test_statistics_are_undone_between_accumulated_steps(tmp_path):
    """The bad iteration is not one at which the optimizer steps; its checkpoint is sound too."""
    train(tmp_path, "sup", **{"optim_wrapper.accumulative_counts": 4})
    for iteration in (BAD, BAD + 1, BAD + 2):
        saved = checkpoint(tmp_path, iteration)["state_dict"]
        assert all(v.isfinite().all() for v in saved.values() if v.is_floating_point())
    assert checkpoint(tmp_path, ITERATIONS)["finite_guard"]["total"] == 1


def test_a_ruined_start_is_refused(tmp_path):
    runner = toy(tmp_path, val_dataloader=None, val_cfg=None, val_evaluator=None)
    runner.model.layer.weight.data[0, 0] = math.nan
    runner._has_loaded = True
    runner.model.init_weights = lambda: None
    with pytest.raises(NumericError, match=r"weights to start from are not finite: layer\.weight"):
        runner.train()


def test_a_checkpoint_with_nan_is_not_written(tmp_path):
    """A hook ruins weights behind the guard's back: the last checkpoint stays the sound one."""

    class RuinHook(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 4:
                runner.model.layer.weight.data.fill_(math.nan)

    runner = toy(tmp_path, val_dataloader=None, val_cfg=None, val_evaluator=None)
    runner._hooks.insert(0, RuinHook())
    with pytest.raises(NumericError, match=r"no checkpoint is written.*state_dict\.layer\.weight"):
        runner.train()
    assert [p.name for p in (tmp_path / "checkpoints").glob("*.pth")] == ["iter_2.pth"]


def test_a_constant_mask_of_infinities_is_not_bad():
    model = torch.nn.BatchNorm1d(2)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    statistics = RunningStatistics(model)
    assert bool(statistics.finite()) and not statistics.bad()
    model(torch.tensor([[1.0, math.nan], [2.0, 3.0]]))
    assert not bool(statistics.finite())
    assert statistics.bad() == ["running_mean", "running_var"]
    statistics.restore()
    assert bool(statistics.finite())
    assert model.running_mean.tolist() == [0, 0] and int(model.num_batches_tracked) == 0
