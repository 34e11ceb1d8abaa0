"""Dice over classes, by hand; what weighs nothing is not background either."""

import pytest
import torch

from ssdet.losses import class_dice
from ssdet.models import ClassDiceLoss
from ssdet.teacher_student.step import PixelLabels

from ..seg_helpers import build_seg, tiny_fcn

# Two pixels, two classes: p(class 1) = 0.5 and 0.8, labels 0 and 1.
P = torch.tensor([[[[0.5, 0.2]], [[0.5, 0.8]]]])
LABELS = torch.tensor([[[0, 1]]])
ONES = torch.ones(1, 1, 2)


def test_the_mean_over_classes():
    # class 0: 2*0.5 / (0.25 + 0.04 + 1); class 1: 2*0.8 / (0.25 + 0.64 + 1)
    expected = 1 - (1.0 / 1.29 + 1.6 / 1.89) / 2
    assert class_dice(P, LABELS, ONES, eps=0) == pytest.approx(expected, rel=1e-6)


def test_weights_multiply_every_sum():
    weights = torch.tensor([[[0.5, 2.0]]])
    first = 2 * 0.5 * 0.5 / (0.5 * 0.25 + 2 * 0.04 + 0.5)
    second = 2 * 2 * 0.8 / (0.5 * 0.25 + 2 * 0.64 + 2)
    found = class_dice(P, LABELS, weights, eps=0)
    assert found == pytest.approx(1 - (first + second) / 2, rel=1e-6)
    assert class_dice(P, LABELS, weights * 3, eps=0) == pytest.approx(found.item(), rel=1e-6)


@pytest.mark.parametrize("label", [0, 1, 255, -1])
def test_a_pixel_of_weight_zero_or_no_class_does_not_exist(label):
    """A masked pixel that became background would be overlap, or a wrong target, of class 0."""
    weights = torch.tensor([[[1.0, 0.0]]]) if label in (0, 1) else ONES
    labels = torch.tensor([[[0, label]]])
    alone = class_dice(P[..., :1], LABELS[..., :1], ONES[..., :1])
    assert class_dice(P, labels, weights) == pytest.approx(alone.item(), rel=1e-6)


def test_an_absent_class_that_is_not_predicted_costs_nothing():
    sure = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert class_dice(sure, torch.zeros(1, 1, 1).long(), torch.ones(1, 1, 1)) == 0


def test_sums_are_those_of_the_batch():
    both = torch.cat([P, P.flip(-1)]), torch.cat([LABELS, LABELS.flip(-1)])
    found = class_dice(*both, torch.ones(2, 1, 2), eps=0)
    assert found == pytest.approx(class_dice(P, LABELS, ONES, eps=0).item(), rel=1e-6)


def test_as_the_loss_of_a_segmentor_it_takes_the_weights_of_pixels():
    model = build_seg(tiny_fcn(loss_decode=dict(type="ClassDiceLoss", loss_weight=3.0)))
    assert not model.pixel_weights[model.student].weightless
    logits, labels = torch.randn(1, 4, 6, 6), torch.randint(4, (1, 6, 6))
    weights = torch.rand(1, 6, 6)
    valid = torch.rand(1, 6, 6) < 0.7
    targets = PixelLabels(labels, weights, weights, valid)
    head = model.student.decode_head
    with model.pixel_weights[model.student].of(targets):
        found = head.loss_decode(logits, labels, ignore_index=255)
    expected = 3 * class_dice(logits.softmax(1), labels, weights * valid)
    assert torch.allclose(found, expected)
    plain = head.loss_decode(logits, labels.where(valid, 255), ignore_index=255)
    assert torch.allclose(plain, 3 * class_dice(logits.softmax(1), labels, valid.float()))


def test_name_in_the_log():
    assert ClassDiceLoss().loss_name == "loss_dice"
