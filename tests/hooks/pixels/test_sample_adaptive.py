"""Harder views for images that are easy."""

import pytest
import torch

from ssdet.hooks import SampleAdaptiveHook
from ssdet.hooks.pixels.sample_adaptive import _key, _losses
from ssdet.teacher_student.step import PixelLabels

from ...helpers import losses
from ...seg_helpers import build_seg, seg_batch
from .test_hardness import step_of

SECOND = "unsup_student_2"


def batch_of(names=("a", "b")):
    batch = seg_batch(2, 2, views=2)
    for branch, samples in batch["data_samples"].items():
        unlabeled = [sample for sample in samples if sample is not None]
        for name, sample in zip(names, unlabeled, strict=False):
            sample.set_metainfo(dict(img_path=f"{branch == 'sup'}/{name}.png"))
    return batch


def key_of(name):
    return next(
        _key(s) for s in batch_of((name,))["data_samples"]["unsup_student"] if s is not None
    )


def test_the_history_of_each_image_and_the_threshold_that_divides_them():
    """(.1, .12, .11) and (.9, 1.0): the middle of .11 and .95."""
    hook = SampleAdaptiveHook(interval=1)
    hook.history = dict(enumerate((0.1, 0.12, 0.11, 0.9, 1.0)))
    hook.after_loss(step_with_nothing_new())
    assert hook.threshold == pytest.approx(0.53)


def step_with_nothing_new():
    step = step_of(batch=batch_of())
    step.outputs.clear()
    return step


def test_losses_of_images_enter_the_history():
    hook = SampleAdaptiveHook(momentum=0.25)
    step = step_of(hook, batch=batch_of())
    values = _losses(step.outputs["unsup_student"], step.targets["unsup_student"])
    assert list(hook.history.values()) == pytest.approx(values.tolist())
    first = dict(hook.history)
    losses(step.model, batch_of())
    new = step.model.hooks[-1].step
    values = _losses(new.outputs["unsup_student"], new.targets["unsup_student"]).tolist()
    expected = [0.25 * old + 0.75 * now for old, now in zip(first.values(), values, strict=True)]
    assert list(hook.history.values()) == pytest.approx(expected)


def test_the_mean_of_an_image_is_over_what_is_trained_on():
    logits = torch.zeros(2, 4, 1, 2)
    logits[0, 0, 0, 1] = 100.0
    weights = torch.tensor([[[1.0, 0.5]], [[0.0, 0.0]]])
    zeros = torch.zeros(2, 1, 2)
    targets = PixelLabels(zeros.long(), zeros, weights, zeros == 0)
    found = _losses(logits, targets)
    assert found[0].item() == pytest.approx(torch.tensor(4.0).log().item() / 2)
    assert found[1].isnan()


def test_half_of_the_view_of_a_naive_image_is_that_of_the_second_one():
    hook = SampleAdaptiveHook()
    hook.history, hook.threshold = {key_of("a"): 0.1, key_of("b"): 0.9}, 0.5
    step = step_of(hook, batch=batch_of())
    assert step.log["sample_adaptive/naive"] == 0.5
    first, second = step.strong["unsup_student"].inputs, step.strong[SECOND].inputs
    same = (first == second).all(1)
    assert same[0, :16].all() or same[0, :, :16].all()
    assert not same[0].all() and not same[1].all()


def test_it_waits_and_its_state_travels():
    hook = SampleAdaptiveHook(begin=5)
    hook.history, hook.threshold = {key_of("a"): 0.1}, 0.5
    step = step_of(hook, batch=batch_of())
    assert step.log["sample_adaptive/naive"] == 0
    other = SampleAdaptiveHook()
    other.load_state_dict(hook.state_dict())
    assert other.history == hook.history and other.threshold == 0.5


def test_one_strong_view_is_not_enough():
    model = build_seg()
    model.attach(SampleAdaptiveHook())
    with pytest.raises(ValueError, match=r"\['unsup_student'\]. Add 'unsup_student_2'"):
        losses(model, seg_batch())


def test_images_without_a_name_are_refused():
    """Else all of them would have one history."""
    model = build_seg()
    model.attach(SampleAdaptiveHook())
    with pytest.raises(ValueError, match="SampleAdaptiveHook: a view has neither img_path nor"):
        losses(model, seg_batch(2, 2, views=2))
