"""The contract: what holds of any model with any hooks."""

import io
import re
import shutil

import torch


def assert_contract(build, folder, idle=""):
    """Two steps, a checkpoint, one more from it, and one without a pseudo label.

    `build` makes a `Loop` that writes into the folder that it is given, and otherwise the same one
    each time. Parameters whose names match `idle` need no gradient.
    """
    first = build(folder / "run")
    assert_trains(first, idle)
    shutil.copytree(folder / "run", folder / "again")
    assert_goes_on_from_a_checkpoint(first, build(folder / "again"))
    first.silence()
    assert_finite(first.train(1))


def assert_trains(run, idle):
    """Finite losses, a gradient for all that learns, none for what teaches."""
    logs = run.train(2)
    assert_finite(logs)
    kept = [log["pseudo/kept"] for log in logs if "pseudo/kept" in log]  # not in a burn-in
    assert any(count > 0 for count in kept), "nothing was learned from pseudo labels"
    model = run.model
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    without = {name for name in learning if not run.with_gradient.get(name)}
    assert {name for name in without if not re.fullmatch(idle, name)} == set()
    for _, teacher in model.pairs.values():
        assert not any(module.training for module in teacher.modules())
        assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())


def assert_finite(logs):
    for log in logs:
        assert [name for name, value in log.items() if not value.isfinite().all()] == []


def assert_goes_on_from_a_checkpoint(first, second):
    """A hook that loads the state of another one goes on as this one does, bit for bit."""
    file = io.BytesIO()
    torch.save(first.save(), file)
    file.seek(0)
    second.load(torch.load(file, weights_only=True))
    (left,), (right,) = first.train(1), second.train(1)
    assert_same(left, right, "log")
    assert_same(first.save(), second.save(), "state")


def assert_same(one, other, where):
    """The same values of the same types, at every depth."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}.{number}")
    else:
        assert one == other, where
