"""The guard: when the burn-in ends, when the weight is lowered, when the teacher goes back."""

import pytest
import torch

from ssdet.hooks import HeldOutGuardHook
from ssdet.hooks.networks import held_out_guard
from ssdet.teacher_student.step import Step
from ssdet.testing import detector


@pytest.fixture
def told(monkeypatch):
    """What the log says."""
    lines = []
    monkeypatch.setattr(held_out_guard, "print_log", lambda text, **_: lines.append(text))
    return lines


def guard(burn_in=0, **settings):
    model = detector(burn_in=burn_in)
    hook = HeldOutGuardHook(**{"interval": 10, "patience": 2, "tolerance": 0.05, **settings})
    model.attach(hook)
    return model, hook


def looks(model, hook, *qualities):
    """A look every ten iterations; the teacher's weights say which one it was."""
    for quality in qualities:
        model.iteration += 10
        for weight in model.teacher.parameters():
            weight.data.fill_(model.iteration)
        hook.look(model, quality)


def weight(model):
    step = Step(model, model.iteration, unsup_weight=2.0)
    model.hooks[0].before_teacher(step)
    return step.unsup_weight


def test_the_burn_in_ends_when_nothing_improves(told):
    model, hook = guard(burn_in=1000)
    looks(model, hook, 0.0, 0.0, 0.0, 0.05)  # a network that finds nothing yet is no plateau
    looks(model, hook, 0.3, 0.5, 0.502)
    assert model.burn_in == 1000 and told == []
    looks(model, hook, 0.501)
    assert model.burn_in == model.iteration == 80
    (line,) = told
    assert "the burn-in ends after 80 of at most 1000 iterations: 2 looks" in line
    assert "no better than 0.502 at iteration 70" in line
    assert weight(model) == 2.0


def test_the_burn_in_goes_on_while_it_helps(told):
    model, hook = guard(burn_in=100)
    looks(model, hook, *(0.1 * n for n in range(1, 10)))
    assert model.burn_in == 100 and told == []


def test_harm_lowers_the_weight_and_then_takes_back_the_weights(told):
    model, hook = guard(lowered=0.25)
    looks(model, hook, 0.5, 0.6, 0.56, 0.54)
    assert weight(model) == 2.0, "within the tolerance, and one look alone"
    looks(model, hook, 0.58, 0.54, 0.53)
    assert weight(model) == 0.5 and len(told) == 1
    assert "fallen from 0.600 at iteration 20 to 0.530 at iteration 70" in told[0]
    assert "the unsupervised losses now count 0.25 times" in told[0]
    assert next(model.teacher.parameters()).mean() == 70
    looks(model, hook, 0.5, 0.5)
    assert len(told) == 2 and "go back to their weights of then" in told[1]
    for network in (model.teacher, model.student):
        assert all((p == 20).all() for p in network.parameters())
    assert weight(model) == 0.5
    looks(model, hook, 0.4, 0.4, 0.4, 0.4)
    assert len(told) == 2, "each is said once"


def test_a_resumed_run_decides_alike(told):
    model, hook = guard(burn_in=1000)
    looks(model, hook, 0.3, 0.3, 0.3)
    ended = model.iteration
    looks(model, hook, 0.6, 0.5)
    state = hook.state_dict()
    other, again = guard(burn_in=1000)
    other.iteration = model.iteration
    again.load_state_dict(state)
    assert other.burn_in == model.burn_in == ended == 30
    told.clear()
    for one, guarding in ((model, hook), (other, again)):
        looks(one, guarding, 0.5, 0.5, 0.5)
        assert weight(one) == 0.5
        for name, value in again.weights["student"].items():
            assert torch.equal(value, hook.weights["student"][name])
    assert told[: len(told) // 2] == told[len(told) // 2 :] and told


def test_it_looks_every_so_many_iterations(monkeypatch):
    from types import SimpleNamespace

    model, hook = guard()
    moments = []

    class Fold:
        def judged(self, model, moment):
            moments.append((model.iteration, moment))
            return SimpleNamespace(quality=0.5)

    hook.fold = Fold()
    for iteration in range(25):
        hook.before_train_iter(SimpleNamespace(iter=iteration), 0)
    assert moments == [(10, 0), (20, 0)], "always at the same views"
    step = Step(model, 20)
    hook.before_teacher(step)
    assert step.log["guard/quality"] == 0.5


def test_refused_settings():
    with pytest.raises(ValueError, match="tolerance=2 is not in"):
        HeldOutGuardHook(tolerance=2)
