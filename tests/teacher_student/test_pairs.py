"""Auxiliary networks with teachers of their own, and labels for further networks."""

import copy

import pytest
import torch

from ssdet.hooks import TeacherEMAHook
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ..helpers import losses
from ..seg_helpers import build_seg, seg_batch, seg_sample, tiny_fcn


def build(**settings):
    return build_seg(
        auxiliary=dict(second=tiny_fcn(norm="BN"), third=tiny_fcn()),
        auxiliary_teachers=["second"],
        **settings,
    )


def equal(first, second):
    one, two = first.state_dict(), second.state_dict()
    return all(torch.equal(one[key], two[key]) for key in one)


def perturb(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)


def test_a_teacher_starts_as_a_copy_never_trains_and_gets_no_gradient():
    model = build()
    assert list(model.pairs) == ["student", "second"]
    student, teacher = model.pairs["second"]
    assert student is model.auxiliary["second"] and equal(student, teacher)
    assert model.train().auxiliary["second"].training and not teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())
    perturb(student)
    model.init_weights()
    assert equal(student, teacher)


def test_every_teacher_follows_its_student_unless_that_rests():
    model = build()
    hook = TeacherEMAHook(momentum=0.75)
    model.attach(hook)
    before = copy.deepcopy(model)
    perturb(model.student)
    perturb(model.auxiliary["second"])
    model.frozen = {"student"}
    hook.update()
    assert equal(model.teacher, before.teacher)
    for key, value in model.auxiliary_teachers["second"].named_parameters():
        expected = before.auxiliary_teachers["second"].get_parameter(key) + 0.25
        assert torch.allclose(value, expected, atol=1e-6)


def test_momentum_zero_is_an_exact_copy():
    model = build(predict_with="student")
    hook = TeacherEMAHook(momentum=0.0)
    model.attach(hook)
    for student, _ in model.pairs.values():
        perturb(student)
    hook.update()
    assert all(equal(*pair) for pair in model.pairs.values())


def test_burn_in_ends_with_a_copy_of_every_student():
    model = build(burn_in=1)
    perturb(model.auxiliary["second"])
    losses(model, seg_batch())
    assert not equal(*model.pairs["second"])
    losses(model, seg_batch())
    assert equal(*model.pairs["second"])


def test_a_teacher_of_nobody_is_refused():
    with pytest.raises(ValueError, match="auxiliary_teachers='second' is not one of"):
        build_seg(auxiliary_teachers=["second"])


def test_zero_loss_reaches_the_network_that_is_named():
    model = build()
    model.zero_loss(model.auxiliary["second"]).backward()
    grads = [p.grad for p in model.auxiliary["second"].parameters()]
    assert all(g is not None and not g.any() for g in grads)
    assert all(p.grad is None for p in model.student.parameters())


@pytest.mark.parametrize("soft", [False, True])
def test_labels_for_others_move_with_the_view(soft):
    """Shifted by 8 columns: what comes from outside says nothing."""
    model = build()
    model.needs = frozenset({"soft_targets"})
    matrix = [[1, 0, 8], [0, 1, 0], [0, 0, 1]]
    views = Views(torch.zeros(1, 3, 32, 32), [seg_sample(homography=matrix)])
    columns = torch.arange(32).expand(1, 32, 32)
    ones = torch.ones(1, 32, 32)
    pseudo = PixelLabels(
        columns.clone(),
        ones,
        ones,
        ones > 0,
        torch.stack([columns / 32, 1 - columns / 32], 1) if soft else None,
        torch.stack([columns + 100, columns + 150], 1),
    )
    weak = Views(torch.zeros(1, 3, 32, 32), [seg_sample()])
    step = Step(model, 0, weak=weak, strong={"unsup_student": views}, pseudo=pseudo)
    moved = model.transfer(step)["unsup_student"]
    assert moved.extra_labels.dtype == torch.long
    assert moved.extra_labels[0, 0, 0, 8:].tolist() == list(range(100, 124))
    assert moved.extra_labels[0, 1, 5, 8:].tolist() == list(range(150, 174))
    assert (moved.extra_labels[0, :, :, :8] == 255).all()
    assert moved.labels[0, 0, 8:].tolist() == list(range(24))
    if soft:
        assert torch.allclose(moved.soft[0, 0, 0, 8:], torch.arange(24) / 32)
    else:
        assert moved.soft is None
