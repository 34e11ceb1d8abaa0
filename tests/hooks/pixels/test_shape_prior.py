"""The shape prior in a step: it learns, stands still, and weighs."""

import math

import pytest
import torch

from ssdet.hooks import ShapePriorHook
from ssdet.teacher_student.step import PixelLabels, Step

from ...helpers import build_pair
from ...helpers import losses as losses_of
from ...seg_helpers import build_seg, seg_batch

PRIOR = dict(
    type="LabelAutoEncoder", num_classes=4, size=(16, 16), channels=4, stages=2, embedding=8
)


def seg_pair(burn_in=2, prior=PRIOR, **settings):
    model = build_seg(auxiliary=dict(shape_prior=prior), burn_in=burn_in, unsup_weight=0.0)
    hook = ShapePriorHook(**settings)
    model.attach(hook)
    return model, hook


def test_the_prior_learns_in_the_burn_in_and_then_stands_still():
    torch.manual_seed(0)
    model, hook = seg_pair()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    copies, values = [], []
    for _ in range(4):
        found = losses_of(model, seg_batch())
        optimizer.zero_grad()
        sum(v for k, v in found.items() if "loss" in k).backward()
        optimizer.step()
        hook.after_train_iter(None, 0)
        copies.append(hook.prior.average[0][0].weight.clone())
        values.append((found["prior_loss"].item(), found.get("unsup_loss_shape_consistency")))
    assert not torch.equal(copies[0], copies[1]) and torch.equal(copies[1], copies[3])
    assert [value > 0 for value, _ in values] == [True, True, False, False]
    assert [value is not None for _, value in values] == [False, False, True, True]
    assert values[2][1] > 0 and found["prior/weight"] <= 1


def test_every_weight_of_the_prior_takes_part_in_each_step():
    model, hook = seg_pair()
    for _ in range(3):
        found = losses_of(model, seg_batch())
        model.zero_grad()
        found["prior_loss"].backward()
        assert all(p.grad is not None for p in hook.prior.learner.parameters())
        assert all(p.grad is None for p in model.student.parameters())


def test_the_weight_falls_where_the_prior_disagrees(monkeypatch):
    model, hook = seg_pair(gamma=2.0)
    teacher = torch.tensor([0.8, 0.1, 0.1, 0.0]).view(1, 4, 1, 1).repeat(1, 1, 1, 2)
    prior = teacher.clone()
    prior[0, 0, 0, 1] = 0.3
    monkeypatch.setattr(hook.prior, "plausible", lambda labels: prior)
    logits = torch.zeros(1, 4, 1, 2)
    ones = torch.ones(1, 1, 2)
    targets = PixelLabels(ones.long(), ones, ones, ones.bool(), teacher)
    name = "unsup_student"
    step = Step(model, 5, targets={name: targets}, outputs={name: logits}, shares={name: 1.0})
    found = hook.compare(step, name)
    # The student says 0.25 everywhere; w is exp(-2 * 0.25) once and 1 seven times.
    low = math.exp(-0.5)
    first, rest = 0.55**2, 2 * 0.15**2 + 0.25**2
    assert found.item() == pytest.approx((first * (1 + low) + 2 * rest) / (2 * (7 + low)))
    assert step.log["prior/weight"].item() == pytest.approx((7 + low) / 8)


def test_pixels_without_a_label_teach_the_prior_nothing():
    model, _ = seg_pair(burn_in=1, swap=0.0, noise=0.0)
    batch = seg_batch(unsup=0)
    for sample in batch["data_samples"]["sup"]:
        sample.gt_sem_seg.data[:] = 255
    assert losses_of(model, batch)["prior_loss"].item() == 0


def test_models_it_cannot_work_with_are_refused_by_name():
    with pytest.raises(TypeError, match=r"ShapePriorHook: .*not with a TeacherStudentDetector"):
        build_pair().attach(ShapePriorHook())
    with pytest.raises(ValueError, match="no LabelAutoEncoder called 'shape_prior'"):
        build_seg(burn_in=1).attach(ShapePriorHook())
    with pytest.raises(ValueError, match="num_classes=7, the segmentor 4"):
        seg_pair(prior=dict(PRIOR, num_classes=7))
    with pytest.raises(ValueError, match="with burn_in=0 the prior never learns"):
        seg_pair(burn_in=0)
    seg_pair(burn_in=0, learn_for=5)


@pytest.mark.parametrize(
    "settings", [dict(gamma=-1), dict(swap=1.2), dict(block=0), dict(learn_for=0)]
)
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=f"ShapePriorHook: {next(iter(settings))}="):
        ShapePriorHook(**settings)
