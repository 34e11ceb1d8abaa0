"""A step that is not finite changes nothing but the count."""

import json

import pytest
import torch

from ssdet.engine import NumericError
from ssdet.engine.finite import images_of
from tests.helpers import multi_branch
from tests.reliability.harness import checkpoint, difference

from .toy import toy

SETTINGS = {"val_dataloader": None, "val_cfg": None, "val_evaluator": None}


def weights_after(work_dir, iteration):
    return checkpoint(work_dir, iteration)["state_dict"]


def run(work_dir, broken=(), **changes):
    runner = toy(
        work_dir,
        default_hooks__checkpoint__interval=1,
        default_hooks__checkpoint__max_keep_ckpts=-1,
        default_hooks__checkpoint__save_best=None,
        model__broken=list(broken),
        **{**SETTINGS, **changes},
    )
    steps = []
    runner.train_loop  # noqa: B018  (builds it)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper.optimizer.register_step_post_hook(lambda *_: steps.append(runner.iter + 1))
    runner.train()
    return steps


def test_the_step_is_skipped_and_the_schedule_goes_on(tmp_path):
    assert run(tmp_path, broken=[3]) == [1, 2, 4, 5, 6]
    before, after = weights_after(tmp_path, 2), weights_after(tmp_path, 3)
    assert difference(before, after) is None
    assert difference(after, weights_after(tmp_path, 4)) is not None
    rates = [checkpoint(tmp_path, i)["param_schedulers"][0]["last_step"] for i in (2, 3)]
    assert rates == [2, 3]
    momentum = [checkpoint(tmp_path, i)["optimizer"]["state"] for i in (2, 3)]
    assert difference(*momentum) is None
    log = (tmp_path / "train.log").read_text()
    assert "iteration 3: optimizer step skipped, not finite: loss_a = nan" in log
    assert "gradient of layer.weight, layer.bias (1 in a row, 1 in total)" in log
    dump = json.loads((tmp_path / "nan_dump/iter_3.json").read_text())
    assert dump["losses"]["loss_a"] == "nan" and dump["iteration"] == 3
    assert checkpoint(tmp_path, 6)["finite_guard"] == {"total": 1, "in_a_row": 0}


def test_several_in_a_row_stop_the_run(tmp_path):
    with pytest.raises(NumericError, match=r"iteration 5.*loss_a = nan.*3 skipped steps in a row"):
        run(tmp_path, broken=[3, 4, 5])
    assert sorted(p.name for p in (tmp_path / "nan_dump").iterdir()) == [
        "iter_3.json", "iter_4.json", "iter_5.json",
    ]  # fmt: skip
    saved = checkpoint(tmp_path, 4)["state_dict"]
    assert all(bool(torch.isfinite(value).all()) for value in saved.values())
    assert json.loads((tmp_path / "run.json").read_text())["exit_code"] == 70


def test_single_ones_do_not_stop_it_and_the_count_survives_a_resume(tmp_path):
    assert run(tmp_path, broken=[1, 2, 4, 5], train_cfg__max_iters=5) == [3]
    # The resumed process calls the model for the first time at iteration 6.
    with pytest.raises(NumericError, match="3 in a row, 5 in total"):
        run(tmp_path, broken=[1], resume=True, resume_anyway=True)


def test_a_bad_gradient_under_a_finite_loss_is_skipped_too(tmp_path):
    class Overflow(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * float("inf")

    runner = toy(tmp_path, **SETTINGS, default_hooks__checkpoint__save_best=None)
    model, forward = runner.model, runner.model.forward

    def overflowing(*args, **kwargs):
        losses = forward(*args, **kwargs)
        if runner.iter == 1:
            losses["loss_b"] = Overflow.apply(losses["loss_b"])
        return losses

    model.forward = overflowing
    runner.train()
    log = (tmp_path / "train.log").read_text()
    assert "iteration 2: optimizer step skipped, not finite: gradient of layer.weight" in log
    assert "iteration 3: optimizer step skipped" not in log


def test_with_gradient_accumulation_the_whole_update_is_skipped(tmp_path):
    steps = run(tmp_path, broken=[3], optim_wrapper__accumulative_counts=2)
    assert steps == [2, 6]
    log = (tmp_path / "train.log").read_text()
    assert "iteration 4: optimizer step skipped, not finite: loss_a = nan" in log


def test_images_of_all_branches_are_named():
    found = images_of(multi_branch())
    assert [item["branch"] for item in found] == ["sup"] * 2 + ["unsup_teacher"] * 2 + [
        "unsup_student"
    ] * 2
    assert images_of([1, 2]) == []
