"""Uncertainty from passes with dropout."""

import math

import pytest
import torch

from ssdet.hooks import ConsistencyHook, DropoutUncertaintyHook
from ssdet.teacher_student.step import PixelLabels, Step, Views
from ssdet.thresholds import entropy_of

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, seg_sample, tiny_fcn


def test_entropy_in_nats():
    maps = torch.tensor([[1.0, 0.5, 0.25], [0.0, 0.5, 0.75]])[None, :, None]
    expected = [0, math.log(2), 0.25 * math.log(4) + 0.75 * math.log(4 / 3)]
    assert entropy_of(maps).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def dropout_pair(**settings):
    model = build_seg(tiny_fcn(dropout_ratio=0.5), burn_in=10)
    hook = DropoutUncertaintyHook(**settings)
    model.attach(hook)
    return model, hook


def test_pixels_above_the_limit_lose_their_weight(monkeypatch):
    model, hook = dropout_pair(passes=2, noise=0.0, ramp_length=10, ramp_kind="linear")
    # Two passes; their means have the entropies ln 2 (0.5 of ln 4), 0.9 ln 4 and ln 4.
    high = torch.tensor([0.5, 0.3, 0.1, 0.1])
    share = float(entropy_of(high.view(1, 4, 1, 1))) / math.log(4)
    assert 0.75 < share < 0.875
    soft = [
        torch.stack([torch.tensor(one), high, torch.full((4,), 0.25)], dim=-1)[None, :, None]
        for one in ([1.0, 0, 0, 0], [0.0, 1, 0, 0])
    ]
    ones = torch.ones(1, 1, 3)

    def label(views, needs):
        assert needs == {"soft"}

        return PixelLabels(ones.long(), ones, ones, ones.bool(), soft.pop())

    monkeypatch.setattr(model, "label", label)
    kept = list(soft)
    for iteration, expected in ((10, [1, 0, 0]), (15, [1, 1, 0])):
        soft[:] = kept
        pseudo = PixelLabels(ones.long(), ones, ones.clone(), ones.bool())
        weak = Views(torch.zeros(1, 3, 1, 3), [seg_sample((1, 3))])
        step = Step(model, iteration, weak=weak, pseudo=pseudo)
        hook.after_teacher(step)
        assert step.pseudo.weights.flatten().tolist() == expected


def test_dropout_is_awake_in_the_passes_alone():
    model, hook = dropout_pair(passes=3, noise=0.0)
    views = Views(torch.randn(1, 3, 32, 32), [seg_sample()])
    step = Step(model, 0, weak=views)
    with torch.no_grad():
        quiet = model.label(views, needs={"soft"}).soft
        sampled, again = hook._sampled(step), hook._sampled(step)
        assert not torch.equal(sampled, again)
        assert torch.equal(model.label(views, needs={"soft"}).soft, quiet)
    assert not any(module.training for module in model.teacher.modules())


def test_a_whole_step_with_consistency():
    model = build_seg(tiny_fcn(dropout_ratio=0.5), unsup_weight=0.0)
    for hook in (DropoutUncertaintyHook(passes=2, start=1.0), ConsistencyHook()):
        model.attach(hook)
    found = losses(model, seg_batch())
    assert found["unsup_loss_consistency"] > 0 and 0 < found["dropout/sure"] <= 1


def test_models_without_dropout_and_detectors_are_refused():
    with pytest.raises(ValueError, match="set dropout_ratio of its decode_head"):
        build_seg().attach(DropoutUncertaintyHook())
    with pytest.raises(TypeError, match=r"DropoutUncertaintyHook: .*TeacherStudentDetector"):
        build_pair().attach(DropoutUncertaintyHook())


@pytest.mark.parametrize("settings", [dict(passes=0), dict(noise=-1), dict(start=1.2)])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=f"DropoutUncertaintyHook: {next(iter(settings))}="):
        DropoutUncertaintyHook(**settings)
