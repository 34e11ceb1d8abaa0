"""PrevMatch's earlier students as a second source of labels."""

import copy

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import (
    CutMixHook,
    FeaturePerturbationHook,
    FixedThresholdHook,
    PreviousTeachersHook,
    StepHook,
)
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def hook(**settings):
    return PreviousTeachersHook(**{"interval": 1, "score": 0.0, "weight": "constant", **settings})


def trained(model, *hooks, steps=1, batch=None):
    spy = Spy()
    for one in (*hooks, spy):
        model.attach(one)
    found = [losses(model, batch or seg_batch(views=2)) for _ in range(steps)]
    return found, spy.step


def move(model, amount):
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(amount)


def test_the_latest_students_are_kept():
    """Kept before the steps 0, 2, 4, ... of an interval of 2; A, B, C with a size of 2: B, C."""
    model, one = build_seg(), hook(interval=2, size=2)
    name = "decode_head.conv_seg.bias"
    torch.nn.init.zeros_(model.student.get_parameter(name))
    kept = []
    for step in range(6):
        trained(model, *([one] if step == 0 else []))
        kept.append([round(member[name][0].item(), 1) for member in one.members])
        move(model, 1.0)
    assert kept == [[0], [0], [0, 2], [0, 2], [2, 4], [2, 4]]
    assert one.members[0][name].dtype == torch.float16


def test_lambda_rises_to_the_middle_and_falls_again():
    """E = 80: 0, .5, 1, .5, 0."""
    model = build_seg(burn_in=3)
    one = hook(weight="triangle", length=80)
    _, step = trained(model, one)
    found = []
    for since in (0, 20, 40, 60, 80, 90):
        step.iteration = 3 + since
        found.append(one._factor(step))
    assert found == pytest.approx([0, 0.5, 1, 0.5, 0, 0])


def test_logits_are_averaged_and_not_probabilities(monkeypatch):
    """(2, 0) and (0, 1) with .75 and .25: (1.5, .25), so p = .7773."""
    model, one = build_seg(tiny_fcn(2)), hook(ensemble=2)
    spy = Spy()
    model.attach(one)
    model.attach(spy)
    losses(model, seg_batch(classes=2))
    found = {0: torch.tensor([2.0, 0.0]), 1: torch.tensor([0.0, 1.0])}
    one.members = [{"number": torch.tensor(0)}, {"number": torch.tensor(1)}]

    def call(network, state, *_):
        return found[int(state["number"])].view(1, 2, 1, 1)

    where = "ssdet.hooks.networks.previous_teachers."
    monkeypatch.setattr(where + "functional_call", call)
    monkeypatch.setattr(where + "_restored", lambda member, network: member)
    monkeypatch.setattr(torch, "randint", lambda *_, **__: torch.tensor(2))
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: torch.tensor([0, 1]))
    draws = torch.tensor([-0.75, -0.25]).exp()  # exponential draws .75 and .25
    monkeypatch.setattr(torch, "rand", lambda *_, **__: draws)
    mean = one._logits(spy.step).flatten()
    assert mean.tolist() == pytest.approx([1.5, 0.25])
    assert mean.softmax(0)[0].item() == pytest.approx(0.7773, abs=1e-4)


def test_a_member_labels_as_the_student_did():
    """Its labels of the weak view, in eval mode, though the student has changed since."""
    model = build_seg(tiny_fcn(norm="BN"))
    with torch.no_grad():
        model.student.decode_head.conv_seg.weight.mul_(50)
    one = hook(interval=100)
    batch = seg_batch()
    _, step = trained(model, one, batch=batch)
    before = step.pseudo.extra_labels.clone()
    model.copy_student()
    student = copy.deepcopy(model.student)
    student.load_state_dict({n: v.float() for n, v in one.members[0].items()}, strict=False)
    student.eval()
    logits = student(step.weak.inputs, step.weak.samples, mode="tensor")
    wanted = F.interpolate(logits, (32, 32), mode="bilinear").argmax(1)
    assert (before[:, 0] == wanted).float().mean() > 0.99
    move(model, 1.0)
    _, step = trained(model, batch=batch)
    assert torch.equal(step.pseudo.extra_labels, before)


def test_losses_keep_the_sum_of_their_weights(monkeypatch):
    """L_x 1, L_u .8, L_prev .6, lambda .5, halves: (1 + .8 + .3) / 2.5 = .84."""
    model = build_seg(sup_weight=0.5, unsup_weight=0.5)
    one = hook()
    _, step = trained(model, one)
    step.losses = {"sup_loss": torch.tensor(0.5), "unsup_loss": [torch.tensor(0.4)], "acc": 7}
    one._channel, one._factor = 0, lambda _: 0.5
    step.shares = {name: 0.5 for name in step.targets}
    module = "ssdet.hooks.networks.previous_teachers"
    monkeypatch.setattr(f"{module}.second_loss", lambda *_: torch.tensor(0.6))
    one.after_loss(step)
    previous = step.losses.pop("unsup_loss_previous")
    total = step.losses["sup_loss"] + step.losses["unsup_loss"][0] + previous
    assert total.item() == pytest.approx(0.84) and step.losses["acc"] == 7


def test_the_same_logits_learn_the_second_labels_cut_by_the_same_boxes():
    model = build_seg(sup_weight=0.5, unsup_weight=0.5)
    hooks = FixedThresholdHook(0.3), CutMixHook(1.0), FeaturePerturbationHook(), hook()
    (found,), step = trained(model, *hooks)
    assert torch.equal(
        step.targets["unsup_student_features"].extra_labels[:, 0] != 255, step.pseudo.valid
    )
    total = 0.0
    for name, targets in step.targets.items():
        logits = F.interpolate(step.outputs[name], (32, 32), mode="bilinear")
        total = total + step.shares[name] * F.cross_entropy(logits, targets.extra_labels[:, 0])
    wanted = 0.5 * total * 2 / 3
    assert found["unsup_loss_previous"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_mixing_carries_them_as_it_carries_the_labels():
    """Labels plus one, mixed: the difference is one wherever there is a label."""

    class PlusOne(StepHook):
        phase = Phase.LOSS

        def after_teacher(self, step):
            step.pseudo.extra_labels = (step.pseudo.labels + 1)[:, None]

    _, step = trained(build_seg(), PlusOne(), CutMixHook(1.0))
    targets = step.targets["unsup_student"]
    assert (targets.extra_labels[:, 0] - targets.labels)[targets.valid].unique().tolist() == [1]


def test_other_labels_for_networks_stay_in_their_place():
    class Other(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            step.pseudo.extra_labels = torch.full_like(step.pseudo.labels, 2)[:, None]

    _, step = trained(build_seg(), Other(), hook())
    assert step.pseudo.extra_labels.shape[1] == 2
    assert (step.pseudo.extra_labels[:, 0] == 2).all()


def test_what_is_not_sure_is_not_learned():
    (found,), step = trained(build_seg(), hook(score=1.0))
    assert found["unsup_loss_previous"] == 0 and step.log["previous/kept"] == 0
    assert (step.pseudo.extra_labels == 255).all()


def test_nothing_in_the_burn_in():
    model, one = build_seg(burn_in=2), hook()
    found, _ = trained(model, one, steps=3)
    assert ["unsup_loss_previous" in each for each in found] == [False, False, True]
    assert len(one.members) == 1


def test_a_student_that_is_not_finite_is_not_kept():
    model, one = build_seg(), hook()
    with torch.no_grad():
        model.student.decode_head.conv_seg.bias[0] = float("nan")
    trained(model, one)
    assert one.members == []


def test_a_resumed_run_draws_the_same_and_labels_the_same():
    model, one = build_seg(), hook()
    trained(model, one, steps=3)
    other = hook()
    twin = build_seg()
    twin.load_state_dict(model.state_dict())
    twin.seed = model.seed
    twin.attach(other)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    spy = Spy()
    twin.attach(spy)
    batch = seg_batch(views=2)
    ours, theirs = losses(model, batch), losses(twin, batch)
    assert torch.equal(ours["unsup_loss_previous"], theirs["unsup_loss_previous"])


def test_it_is_for_pixels_and_checks_its_settings():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(hook())
    for settings, says in ((dict(size=0), "size=0"), (dict(weight="triangle"), "length=0")):
        with pytest.raises(ValueError, match=f"PreviousTeachersHook: {says}"):
            hook(**settings)
