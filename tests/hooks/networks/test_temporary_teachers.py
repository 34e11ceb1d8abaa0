"""Dual Teacher as a hook of the step: turns of teachers and of mixing."""

import pytest
import torch

from ssdet.hooks import ClassMixHook, CutMixHook, StepHook, TemporaryTeachersHook
from ssdet.teacher_student.phase import Phase

from ...helpers import losses
from ...seg_helpers import build_seg, seg_batch

SECOND = "unsup_student_2"


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def fill(network, value):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)


def weight(network):
    return next(network.parameters()).flatten()[0].item()


def taken(model, *hooks, views=1, steps=1):
    spy = Spy()
    for one in (*hooks, spy):
        model.attach(one)
    for _ in range(steps):
        losses(model, seg_batch(views=views))
    return spy.step


def test_in_a_turn_the_teacher_is_a_copy_then_a_mean():
    """Students 1, 2, 3 from the first update on: 1, 1.5, 2; then a turn begins with a copy."""
    hook, model = TemporaryTeachersHook(3, mixes=None), build_seg()
    model.attach(hook)
    found = []
    for iteration, value in enumerate((1.0, 2.0, 3.0, 8.0, 9.0)):
        model.iteration = iteration
        losses(model, seg_batch())
        fill(model.student, value)  # as if the optimizer had stepped
        hook.update()
        found.append(round(weight(model.teacher), 4))
    assert found == [1, 1.5, 2, 8, 8.5]


def test_the_full_momentum_holds_behind_the_mean():
    hook = TemporaryTeachersHook(1000, mixes=None)
    kept = [round(hook._kept("student", updates), 4) for updates in (0, 1, 9, 99, 200)]
    assert kept == [0, 0.5, 0.9, 0.99, 0.99]


def test_a_turn_labels_with_a_copy_of_the_student():
    hook, model = TemporaryTeachersHook(2, mixes=None), build_seg()
    model.attach(hook)
    seen = []

    class Watch(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            pairs = zip(model.student.parameters(), model.teacher.parameters(), strict=True)
            seen.append(all(torch.equal(one, other) for one, other in pairs))

    model.attach(Watch())
    for iteration in range(4):
        model.iteration = iteration
        with torch.no_grad():
            next(model.student.parameters()).add_(0.1)
        losses(model, seg_batch())
    assert seen == [True, False, True, False]


def test_mixing_takes_turns():
    model = build_seg(burn_in=1)
    hooks = (TemporaryTeachersHook(2), CutMixHook(1.0), ClassMixHook())
    spy, mixed = Spy(), []
    for one in (*hooks, spy):
        model.attach(one)
    for _ in range(7):
        losses(model, seg_batch())
        mixed.append([n for n in ("cutmix", "classmix") if f"{n}/skipped" in spy.step.log])
    first, second = ["cutmix"], ["classmix"]
    assert mixed == [[], first, first, second, second, first, first]


def test_the_implicit_consistency_is_not_mixed_and_has_its_share():
    hook = TemporaryTeachersHook(1, mixes=["CutMixHook"], view=SECOND, share=0.2)
    step = taken(build_seg(), hook, CutMixHook(1.0, skip=[SECOND]), views=2)
    assert step.shares == {"unsup_student": 1.0, SECOND: 0.2}
    assert torch.equal(step.targets[SECOND].labels, step.pseudo.labels)
    assert not torch.equal(step.targets["unsup_student"].labels, step.pseudo.labels)
    among = taken(build_seg(), TemporaryTeachersHook(1, mixes=None, view=SECOND), views=3)
    assert among.shares == {"unsup_student": 0.5, SECOND: 0.2, "unsup_student_3": 0.5}
    alone = taken(build_seg(), TemporaryTeachersHook(1, mixes=None, view=SECOND))
    assert alone.shares == {"unsup_student": 1.0}


def test_a_resumed_run_continues_the_turn():
    hook, model = TemporaryTeachersHook(3, mixes=None), build_seg()
    model.attach(hook)
    losses(model, seg_batch())
    hook.update()
    other = TemporaryTeachersHook(3, mixes=None)
    other.load_state_dict(hook.state_dict())
    assert other.updates == hook.updates == 1


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="ClassMixHook is not in custom_hooks"):
        taken(build_seg(), TemporaryTeachersHook(1), CutMixHook())
    with pytest.raises(ValueError, match="period=0"):
        TemporaryTeachersHook(0)
