"""Hooks say what they do and what they need, and the core puts them in order."""

import pytest
import torch
from mmengine.hooks import Hook

from ssdet.hooks import (
    BoxFusionHook,
    BoxJitterHook,
    CopyPasteHook,
    FixedThresholdHook,
    GalleryHook,
    PseudoBoxMemoryHook,
    StepHook,
    TeacherEMAHook,
)
from ssdet.registry import HOOKS
from ssdet.teacher_student import hook_points
from ssdet.teacher_student.hook_points import HookPoints, phase_of
from ssdet.teacher_student.phase import NEEDS, Need, Phase, check_needs
from ssdet.teacher_student.pseudo_boxes import HIGH
from ssdet.teacher_student.step import Step, Views

from ..families.detectors import small_config
from ..helpers import build_pair, losses, multi_branch, pseudo, sample


def test_hooks_act_by_phase_whatever_their_order(monkeypatch):
    told = []
    monkeypatch.setattr(hook_points, "print_log", lambda text, **_: told.append(text))
    model = build_pair(small_config("faster_rcnn"))
    hooks = [GalleryHook(), CopyPasteHook("unlabeled"), BoxJitterHook(), FixedThresholdHook(0.5)]
    for hook in [TeacherEMAHook(), *hooks, BoxFusionHook(), PseudoBoxMemoryHook()]:
        model.attach(hook)
    order = [type(hook).__name__ for hook in model.hooks]
    assert order == [
        "BoxFusionHook",
        "FixedThresholdHook",
        "BoxJitterHook",
        "PseudoBoxMemoryHook",
        "CopyPasteHook",
        "TeacherEMAHook",
        "GalleryHook",
    ]
    losses(model, multi_branch(unsup=0))
    losses(model, multi_branch(unsup=0))
    (line,) = [text for text in told if "act in this order" in text]
    assert "LABEL BoxFusionHook, FILTER FixedThresholdHook, WEIGHT BoxJitterHook" in line


def test_hooks_of_one_phase_keep_the_order_of_the_list():
    model = build_pair()
    first, second = FixedThresholdHook(0.5), FixedThresholdHook(0.6)
    for hook in (second, first):
        model.attach(hook)
    assert model.hooks == [second, first]


def run(order):
    """Two steps of a threshold and a memory in this order: the pseudo boxes of each."""
    hooks = {"threshold": FixedThresholdHook(0.9), "memory": PseudoBoxMemoryHook(interval=1)}
    model, seen = build_pair(), []
    for name in order:
        model.attach(hooks[name])
    for iteration in range(2):
        view = Views(torch.zeros(1, 3, 64, 64), [sample()])
        step = Step(model, iteration, weak=view)
        found = [(2, 2, 20, 20), (30, 30, 50, 50)], [0.95, 0.7]
        step.pseudo, step.dropped = [pseudo(*found)], [{}]
        model._call("after_teacher", step)
        seen.append((step.pseudo[0].bboxes.tolist(), step.pseudo[0].level.tolist()))
    mined = hooks["memory"].images[0]
    return seen, mined.boxes.tolist(), mined.scores.tolist()


def test_a_threshold_and_a_memory_give_one_run_in_either_order():
    """Listed after the memory, a threshold used to come too late: boxes of 0.7 were mined."""
    assert run(["memory", "threshold"]) == run(["threshold", "memory"])
    seen, boxes, scores = run(["memory", "threshold"])
    assert boxes == [[2, 2, 20, 20]] and scores == pytest.approx([0.95])
    assert seen[1] == ([[2, 2, 20, 20]], [HIGH])


def test_a_hook_without_a_phase_gets_one_by_what_it_does(monkeypatch):
    class Mixes(StepHook):
        def before_student(self, step): ...

    class Judges(StepHook):
        def after_teacher(self, step): ...

    class Chooses(Judges):
        selects_labels = True

    class Adds(StepHook):
        def after_loss(self, step): ...

    guesses = [(Mixes, "MIX"), (Judges, "WEIGHT"), (Chooses, "FILTER"), (Adds, "LOSS")]
    for cls, phase in [*guesses, (StepHook, "OBSERVE")]:
        assert phase_of(cls()) is Phase[phase]
    told = []
    monkeypatch.setattr(hook_points, "print_log", lambda text, **_: told.append(text))
    model = build_pair()
    model.attach(Mixes())
    losses(model, multi_branch(unsup=0))
    assert any("Mixes declares no phase; assuming Phase.MIX" in text for text in told)


def test_every_hook_of_ours_says_its_phase():
    ours = [cls for cls in HOOKS.module_dict.values() if cls.__module__.startswith("ssdet.hooks")]
    ours = [cls for cls in ours if issubclass(cls, StepHook)]
    assert len(ours) >= 40
    assert [cls.__name__ for cls in ours if cls.phase is None] == []


def test_an_mmengine_hook_and_the_points_of_the_core_do_not_clash():
    assert not {n for n in vars(HookPoints) if not n.startswith("_")} & set(vars(Hook))


def test_needs_are_checked_and_united():
    class Asks(StepHook):
        needs = frozenset({"student_outputs"})

    class AsksMore(StepHook):
        needs = frozenset({"features", "teacher_on:unsup_student"})

    model = build_pair()
    assert model.needs == frozenset()
    model.attach(Asks())
    model.attach(AsksMore())
    assert model.needs == {"student_outputs", "features", "teacher_on:unsup_student"}
    with pytest.raises(ValueError, match=r"Wrong: needs=.*'logits' is not one of"):
        check_needs("Wrong", {"logits"})
    with pytest.raises(ValueError, match="'soft' is not a set of names"):
        check_needs("Wrong", "soft")
    assert set(NEEDS) == set(Need.__args__)


def test_two_hooks_that_replace_the_loss_are_refused_by_name():
    class Dense(StepHook):
        replaces_loss = True

    class Denser(Dense):
        pass

    model = build_pair()
    model.attach(Dense())
    with pytest.raises(ValueError, match=r"Denser: replaces .* and so does Dense"):
        model.attach(Denser())


def test_generators_are_a_function_of_seed_iteration_rank_and_owner(monkeypatch):
    model = build_pair()
    model.seed = 5

    def draw(iteration=3, owner="mix", rank=0, **settings):
        monkeypatch.setattr("ssdet.teacher_student.step.get_rank", lambda: rank)
        return torch.rand(3, generator=Step(model, iteration).generator(owner, **settings)).tolist()

    assert draw() == draw()
    assert len({tuple(d) for d in (draw(), draw(4), draw(owner="cut"), draw(rank=1))}) == 4
    assert draw(all_ranks_alike=True) == draw(rank=1, all_ranks_alike=True) != draw()
    before = torch.get_rng_state()
    draw()
    assert torch.equal(before, torch.get_rng_state())
