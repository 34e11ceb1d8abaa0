"""A step in parts is the step, and what would not be is refused."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper

from ssdet.engine import OutOfMemoryHook, UsageError
from ssdet.hooks import CutMixHook, FixedThresholdHook, PseudoLabelDiskHook, TeacherEMAHook
from ssdet.testing import _batch, detector, segmentor

from .toy import ToyModel, toy

NO_MEMORY = torch.cuda.OutOfMemoryError("CUDA out of memory")


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, line):
        self.lines.append(line)


def runner_of(model, **settings):
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), **settings)
    return SimpleNamespace(model=model, optim_wrapper=wrapper, logger=Log())


def gradients(kind, views, fail_in):
    torch.manual_seed(1)
    model = kind()
    hooks = [FixedThresholdHook(score=0.0), TeacherEMAHook(momentum=0.9)]
    if kind is segmentor:
        hooks.append(CutMixHook(prob=1.0))
    for hook in hooks:
        model.attach(hook)
    runner = runner_of(model)
    hook = OutOfMemoryHook(oom="retry")
    hook.before_train(runner)
    passes = []

    def fail(module, args):
        passes.append(module)
        if len(passes) == fail_in:
            raise NO_MEMORY

    model.student.backbone.register_forward_pre_hook(fail)
    runner.optim_wrapper.optimizer.step = lambda *a, **k: None
    clear = runner.optim_wrapper.zero_grad
    # The step is over before its gradients are looked at.
    runner.optim_wrapper.zero_grad = lambda: clear() if len(passes) == fail_in else None
    torch.manual_seed(2)
    batch = _batch(model, views)
    logs = model.train_step(batch, runner.optim_wrapper)
    found = {n: p.grad.clone() for n, p in model.student.named_parameters() if p.grad is not None}
    return found, logs, hook, model, runner


@pytest.mark.parametrize("kind", [detector, segmentor])
@pytest.mark.parametrize(("views", "fail_in"), [(1, 1), (1, 2), (2, 3)])
def test_the_gradients_are_equal(kind, views, fail_in):
    whole, numbers, hook, _, _ = gradients(kind, views, fail_in=0)
    assert hook.retried == 0
    parts, others, hook, model, runner = gradients(kind, views, fail_in)
    assert hook.retried == 1 and model.release is None and model.iteration == 1
    assert whole.keys() == parts.keys() and numbers.keys() == others.keys()
    for name, value in whole.items():
        # float32: a sum of several layers' and views' parts in another order
        assert (parts[name] - value).norm() <= 1e-6 * value.norm() + 1e-12, name
    for name, value in numbers.items():
        assert float(others[name]) == float(value), name
    assert "the step is taken in parts (1 so far)" in runner.logger.lines[0]


def test_a_pass_that_never_fits_ends_the_run():
    model = segmentor()
    runner = runner_of(model)
    OutOfMemoryHook(oom="retry").before_train(runner)

    def fail(module, args):
        raise NO_MEMORY

    model.student.backbone.register_forward_pre_hook(fail)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        model.train_step(_batch(model, 1), runner.optim_wrapper)
    assert model.release is None


def test_other_errors_are_not_tried_again():
    model = segmentor()
    runner = runner_of(model)
    hook = OutOfMemoryHook(oom="retry")
    hook.before_train(runner)
    model.student.backbone.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.train_step(_batch(model, 1), runner.optim_wrapper)
    assert hook.retried == 0


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        (lambda: segmentor(joint_pass=True), {}, "joint_pass=True"),
        (segmentor, dict(accumulative_counts=2), "accumulative_counts above 1"),
        (ToyModel, {}, "a model without a teacher"),
    ],
)
def test_what_would_not_be_exact_is_refused(make, settings, words):
    with pytest.raises(UsageError, match=words):
        OutOfMemoryHook(oom="retry").before_train(runner_of(make(), **settings))


def test_labels_on_disk_cannot_be_undone(tmp_path):
    model = segmentor()
    model.attach(PseudoLabelDiskHook(tmp_path))
    with pytest.raises(UsageError, match="PseudoLabelDiskHook, which keeps labels on disk"):
        OutOfMemoryHook(oom="retry").before_train(runner_of(model))
    OutOfMemoryHook().before_train(runner_of(model))
    with pytest.raises(ValueError, match="oom"):
        OutOfMemoryHook(oom="again")


def test_a_default_hook_is_changed_without_its_type(tmp_path):
    """What the message advises works with a config that lists no hooks, such as MMDetection's."""
    changes = dict(default_hooks__memory__oom="retry", default_hooks__monitor__interval=7)
    hooks = {type(hook).__name__: hook for hook in toy(tmp_path / "a", **changes).hooks}
    assert hooks["OutOfMemoryHook"].oom == "retry"
    assert hooks["PseudoLabelMonitorHook"].interval == 7
    known = "default_hooks.memroy: no type, and no default hook .* known are .*memory"
    with pytest.raises(UsageError, match=known):
        toy(tmp_path / "b", default_hooks__memroy__oom="retry")
    kept = {type(hook).__name__ for hook in toy(tmp_path / "c", default_hooks__memory=None).hooks}
    assert "OutOfMemoryHook" not in kept
