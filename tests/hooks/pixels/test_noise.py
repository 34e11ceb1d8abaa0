"""Hooks against wrong pseudo labels, and against learning few labels by heart."""

import pytest
import torch

from ssdet.hooks import (
    BootstrapHook,
    EarlyLearningHook,
    StepHook,
    TrainingSignalHook,
)
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


class Says(StepHook):
    """The teacher says one class everywhere, with these probabilities; the step is kept.

    A threshold has left this share of the pixels.
    """

    phase = Phase.LABEL
    needs = frozenset({"soft"})

    def __init__(self, label=0, soft=(0.7, 0.1, 0.1, 0.1), kept=1.0):
        self.said, self.soft, self.kept = label, soft, kept

    def after_teacher(self, step):
        step.pseudo.labels = torch.full_like(step.pseudo.labels, self.said)
        soft = torch.tensor(self.soft).view(1, -1, 1, 1)
        step.pseudo.soft = soft.expand_as(step.pseudo.soft).clone()
        first = round(self.kept * step.pseudo.weights.shape[-1])
        step.pseudo.weights[..., first:] = 0

    def after_loss(self, step):
        self.step = step


def constant(model, *bias):
    """The student's logits are these, everywhere."""
    with torch.no_grad():
        layer = model.student.decode_head.conv_seg
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor(bias))
    return model


def found_with(hook, says, *bias, **settings):
    model = constant(build_seg(**settings), *bias)
    for one in (says, hook):
        model.attach(one)
    return losses(model, seg_batch()), says.step


def test_early_learning_compares_with_the_teacher():
    """p = 1/4 each, so <t, p> = 1/4 whatever the teacher says; the pseudo label is not asked."""
    for score in ((0.7, 0.1, 0.1, 0.1), (0.0, 0.0, 0.0, 1.0)):
        found, _ = found_with(EarlyLearningHook(2.0), Says(soft=score), 0.0, 0.0, 0.0, 0.0)
        expected = 2 * torch.tensor(0.75).log().item()
        assert found["unsup_loss_early_learning"].item() == pytest.approx(expected, rel=1e-4)


def test_pixels_without_a_pseudo_label_are_not_held_to_anything():
    found, _ = found_with(EarlyLearningHook(2.0), Says(kept=0.5), 0.0, 0.0, 0.0, 0.0)
    expected = torch.tensor(0.75).log().item()
    assert found["unsup_loss_early_learning"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_a_student_trusts_itself_as_far_as_it_is_told(share):
    """The label costs ln 2.5 and its own class ln 5/3: p = (.4, .6)."""
    bias = torch.tensor([0.4, 0.6, 1e-9, 1e-9]).log().tolist()
    found, step = found_with(BootstrapHook(share), Says(0), *bias, unsup_weight=2.0)
    label, own = torch.tensor([2.5, 5 / 3]).log().tolist()
    trusted = found["unsup_loss_bootstrap"].item()
    assert found["unsup_decode.loss_ce"].item() == pytest.approx(2 * (1 - share) * label, rel=1e-4)
    assert trusted == pytest.approx(2 * share * own, rel=1e-4)
    assert step.log["bootstrap/share"] == share


def test_the_share_rises():
    hook = BootstrapHook(0.8, ramp_length=10)
    model = build_seg()
    model.attach(hook)
    model.iteration = 5
    assert losses(model, seg_batch())["bootstrap/share"] == pytest.approx(0.4)


def signal(iteration, **loss):
    """The student knows the class 0 with .7 and is unsure of the others, with .1 each."""
    bias = torch.tensor([0.7, 0.1, 0.1, 0.1]).log().tolist()
    model = constant(build_seg(tiny_fcn(loss_decode=dict(type="CrossEntropyLoss", **loss))), *bias)
    model.attach(TrainingSignalHook(10))
    model.iteration = iteration
    batch = seg_batch(unsup=0)
    for sample in batch["data_samples"]["sup"]:
        labels = torch.zeros(1, 32, 32, dtype=torch.long)
        labels[:, :8] = 1  # a quarter
        labels[:, -8:] = 255
        sample.gt_sem_seg.data = labels
    return model, losses(model, batch)


@pytest.mark.parametrize("loss", [dict(avg_non_ignore=True), dict()])
def test_what_is_known_waits_and_the_mean_is_over_the_rest(loss):
    """Threshold .25 + .75 r: at the start only the quarter of class 1 counts, each ln 10."""
    model, found = signal(0, **loss)
    assert found["training_signal/threshold"] == pytest.approx(0.25)
    assert found["sup_decode.loss_ce"].item() == pytest.approx(torch.tensor(10.0).log().item())
    assert model.student.decode_head.sampler is None
    _, late = signal(10, **loss)
    expected = (torch.tensor(10.0).log() + 2 * torch.tensor(1 / 0.7).log()) / 3
    assert late["sup_decode.loss_ce"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_when_all_is_known_the_loss_is_zero():
    model = constant(build_seg(), 9.0, 0.0, 0.0, 0.0)
    model.attach(TrainingSignalHook(10))
    batch = seg_batch(unsup=0)
    for sample in batch["data_samples"]["sup"]:
        sample.gt_sem_seg.data.zero_()
    assert losses(model, batch)["sup_decode.loss_ce"].item() == 0


def test_other_models_are_refused():
    with pytest.raises(TypeError, match="TrainingSignalHook: chooses among labeled pixels"):
        build_pair().attach(TrainingSignalHook(10))
    sampler = dict(type="HardPixelSampler", min_kept=1)
    with pytest.raises(ValueError, match="FCNHead has a HardPixelSampler"):
        build_seg(tiny_fcn(sampler=sampler)).attach(TrainingSignalHook(10))
    dice = dict(type="DiceLoss")
    with pytest.raises(ValueError, match="the loss of FCNHead is no mean over pixels"):
        build_seg(tiny_fcn(loss_decode=dice)).attach(TrainingSignalHook(10))
    for wrong, kind in ((dict(length=0), TrainingSignalHook), (dict(weight=2), BootstrapHook)):
        with pytest.raises(ValueError, match=f"{kind.__name__}: {next(iter(wrong))}="):
            kind(**wrong)
