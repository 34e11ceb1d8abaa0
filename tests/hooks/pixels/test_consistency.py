"""Soft consistency between the probabilities of student and teacher."""

import math

import pytest
import torch

from ssdet.hooks import ConsistencyHook, FixedThresholdHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn, with_other_labeled

LOSS = "unsup_loss_consistency"


def of(model, logits, soft, weights=None):
    hook = ConsistencyHook()
    hook.on_attach(model)
    ones = torch.ones(soft.shape[0], *soft.shape[2:])
    weights = ones if weights is None else weights
    return hook._loss(logits, PixelLabels(ones.long(), ones, weights, ones.bool(), soft))


def test_the_mean_over_classes_and_pixels_by_hand():
    # Two pixels, four classes: the student says 1/4 each, the teacher (1, 0, 0, 0) and 1/4 each.
    logits = torch.zeros(1, 4, 1, 2)
    soft = torch.full((1, 4, 1, 2), 0.25)
    soft[0, :, 0, 0] = torch.tensor([1.0, 0, 0, 0])
    first = (0.75**2 + 3 * 0.25**2) / 4
    assert of(build_seg(), logits, soft) == pytest.approx(first / 2)
    weights = torch.tensor([[[0.0, 1.0]]])
    assert of(build_seg(), logits, soft, weights) == 0
    assert of(build_seg(reduction="kept"), logits, soft, 1 - weights) == pytest.approx(first)


def test_small_logits_are_enlarged_to_the_labels():
    logits = torch.randn(1, 4, 2, 2)
    large = torch.nn.functional.interpolate(logits, (8, 8), mode="bilinear", align_corners=False)
    assert of(build_seg(), logits, large.softmax(1)) == pytest.approx(0, abs=1e-12)


def test_it_rises_after_the_burn_in_and_reaches_the_student():
    torch.manual_seed(0)
    model = build_seg(unsup_weight=0.0, burn_in=1)
    model.attach(ConsistencyHook(weight=2.0, ramp_length=10))
    batch = seg_batch(views=2)
    assert LOSS not in losses(model, batch)
    with torch.no_grad():
        model.teacher.decode_head.conv_seg.bias[0] += 2.0
    model.copy_after_burn_in = False
    found = losses(model, batch)
    model.hooks[0].ramp_length = 0
    model.iteration = 1
    full = losses(model, batch)
    assert found[LOSS] > 0
    assert (found[LOSS] / full[LOSS]).item() == pytest.approx(math.exp(-5), rel=1e-4)
    assert found["unsup_2_loss_consistency"] > 0
    assert found["unsup_decode.loss_ce"] == 0
    full[LOSS].backward()
    assert any(p.grad is not None and p.grad.any() for p in model.student.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_labels_that_a_threshold_dropped_are_left_out():
    model = build_seg()
    model.attach(FixedThresholdHook(1.0))
    model.attach(ConsistencyHook())
    found = losses(model, seg_batch())
    assert found["pseudo/empty_batch"] == 1 and LOSS not in found


def test_it_says_what_it_cannot_work_with():
    with pytest.raises(TypeError, match=r"ConsistencyHook: .*not with a TeacherStudentDetector"):
        build_pair().attach(ConsistencyHook())
    for settings in (dict(weight=-1), dict(ramp_length=-1), dict(ramp_kind="cubic")):
        with pytest.raises(ValueError, match=f"ConsistencyHook: {next(iter(settings))}="):
            ConsistencyHook(**settings)


def test_mixed_labels_have_mixed_probabilities():
    from ssdet.hooks import CutMixHook

    class Spy(StepHook):
        phase = Phase.OBSERVE

        def after_loss(self, step):
            self.targets = step.targets["unsup_student"]

    model, spy = build_seg(), Spy()
    for hook in (ConsistencyHook(), CutMixHook(prob=1.0), spy):
        model.attach(hook)
    assert torch.isfinite(losses(model, seg_batch())[LOSS])
    valid = spy.targets.valid
    assert torch.equal(spy.targets.soft.argmax(1)[valid], spy.targets.labels[valid])


def test_a_sharpened_teacher_by_hand():
    """UDA: at a temperature of .4, (.6, .3, .1) becomes (.842, .149, .010)."""
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(num_classes=3))
    hook = ConsistencyHook(distance="kl", temperature=0.4)
    hook.on_attach(model)
    soft = torch.tensor([0.6, 0.3, 0.1]).view(1, 3, 1, 1)
    one = torch.ones(1, 1, 1)
    sharp = torch.tensor([0.842, 0.149, 0.0095])
    loss = hook._loss(torch.zeros(1, 3, 1, 1), PixelLabels(one.long(), one, one, one.bool(), soft))
    expected = (sharp * (sharp * 3).log()).sum()
    assert loss.item() == pytest.approx(expected.item(), abs=2e-3)


def test_a_joint_pass_pads_the_labels_of_pixels_with_the_views():
    """The student's map of a padded view must not be squeezed into a smaller map of labels."""

    class Spy(StepHook):
        phase = Phase.OBSERVE

        def after_loss(self, step):
            self.step = step

    model, spy = build_seg(joint_pass=True), Spy()
    for one in (ConsistencyHook(), spy):
        model.attach(one)
    found = losses(model, with_other_labeled(seg_batch(), (64, 32)))
    logits, targets = (getattr(spy.step, key)["unsup_student"] for key in ("outputs", "targets"))
    assert targets.labels.shape == (2, 64, 32) and not targets.valid[:, 32:].any()
    assert (targets.labels[:, 32:] == 255).all()
    large = torch.nn.functional.interpolate(logits, (64, 32), mode="bilinear").softmax(1)
    expected = (large - targets.soft)[:, :, :32].square().mean()
    torch.testing.assert_close(found["unsup_loss_consistency"], expected)
