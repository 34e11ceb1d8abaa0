"""The table of a step: what takes time, each moment counted once, and a run that is not changed."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from ssdet.engine.profile import STUDENT, ProfileHook, Stopwatch, table
from ssdet.hooks import StepHook
from ssdet.registry import HOOKS
from ssdet.teacher_student.phase import Phase

from ..helpers import build_pair, losses, multi_branch
from .toy import toy


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_section_interrupts_the_one_around_it():
    clock = Clock()
    watch = Stopwatch(clock)
    with watch.section("outer"):
        clock.now += 1
        with watch.section("inner"):
            clock.now += 2
        clock.now += 4
    clock.now += 8  # outside of any
    assert watch.seconds == {"outer": 5, "inner": 2}


def test_the_body_of_a_context_is_not_its_own_time():
    clock = Clock()
    watch = Stopwatch(clock)

    class Slow:
        def __enter__(self):
            clock.now += 1

        def __exit__(self, *error):
            clock.now += 2

    with watch.section("pass"):
        with watch.timed_context("hook", Slow)():
            clock.now += 4
        with pytest.raises(KeyError), watch.timed_context("hook", Slow)():
            raise KeyError
    assert watch.seconds == {"pass": 4, "hook": 2 * (1 + 2)}


def test_the_largest_share_comes_first():
    told = table({"small": 1.0, "large": 3.0}, 2)
    assert told.splitlines() == [
        "A step of 2000.0 ms, mean of 2:",
        "   1500.0 ms  75.0%  large",
        "    500.0 ms  25.0%  small",
    ]


@HOOKS.register_module()
class SomeHook(Hook):
    def after_train_iter(self, *args, **kwargs):
        pass


def test_a_run_with_it_is_the_run_without_it(tmp_path):
    plain = toy(tmp_path / "plain")
    plain.train()
    hooks = [dict(type="SomeHook"), dict(type="ProfileHook", iterations=2, warmup=1)]
    runner = toy(tmp_path / "run", custom_hooks=hooks)
    runner.train()
    found = json.loads((tmp_path / "run/profile/steps.json").read_text())
    assert found["iterations"] == 2
    milliseconds = found["milliseconds"]
    assert {"backward", "optimizer", "SomeHook", "waiting for images"} <= set(milliseconds)
    assert all(value >= 0 for value in milliseconds.values())
    trace = json.loads((tmp_path / "run/profile/trace.json").read_text())
    assert any("addmm" in event.get("name", "") for event in trace["traceEvents"])
    assert not any("after_train_iter" in vars(hook) for hook in runner.hooks)
    assert "run_iter" not in vars(runner.train_loop)
    for name, value in plain.model.state_dict().items():
        assert value.equal(runner.model.state_dict()[name])


class Divided(StepHook):
    """Boxes that teach the classes alone."""

    phase = Phase.LABEL

    def after_teacher(self, step):
        for boxes in step.pseudo:
            boxes.in_box = torch.zeros(len(boxes), dtype=torch.bool)


class Own(StepHook):
    """A loss of head outputs, in place of the detector's."""

    phase = Phase.LOSS
    replaces_loss = True

    def student_loss(self, step, name, outputs):
        return dict(loss_own=outputs.cls[0].mean())


@pytest.mark.parametrize("hook", [Divided, Own])
def test_the_students_passes_count_whoever_asks_for_them(hook):
    """Each pass through its backbone takes a second, and nothing else does."""
    clock, model = Clock(), build_pair()
    model.attach(hook())
    profile = ProfileHook()
    runner = SimpleNamespace(
        model=model, hooks=[], val_loop=None, train_loop=SimpleNamespace(run_iter=None),
        optim_wrapper=SimpleNamespace(update_params=None, backward=None),
    )  # fmt: skip
    profile._start(runner)
    profile.watch.clock = clock
    passes = []

    def waits(*args):
        passes.append(1)
        clock.now += 1

    model.student.backbone.register_forward_hook(waits)
    losses(model, multi_branch(sup=1, unsup=1))
    assert profile.watch.seconds[STUDENT] == len(passes) == 2


def test_a_run_that_ends_sooner_tells_what_it_has(tmp_path):
    runner = toy(tmp_path, custom_hooks=[dict(type="ProfileHook", iterations=500, warmup=1)])
    runner.train()
    found = json.loads((tmp_path / "profile/steps.json").read_text())
    assert 0 < found["iterations"] < 500


@pytest.mark.parametrize("option", [dict(iterations=0), dict(warmup=-1)])
def test_wrong_numbers_are_named(option):
    with pytest.raises(ValueError, match=f"ProfileHook: {next(iter(option))}="):
        ProfileHook(**option)
