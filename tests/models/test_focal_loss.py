"""Softmax focal loss, by hand, alone and in a box head with weights."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope

from ssdet.losses import softmax_focal
from ssdet.registry import MODELS
from ssdet.teacher_student.weights import honor_weights

from ..families.detectors import build, sample, small_config


def test_by_hand():
    # Probabilities 1/2, 1/4, 1/4.
    logits = torch.tensor([[math.log(2), 0.0, 0.0]])
    half = softmax_focal(logits, torch.tensor([0]), 1.5)
    quarter = softmax_focal(logits, torch.tensor([2]), 1.5)
    assert half.tolist() == pytest.approx([0.5**1.5 * math.log(2)])
    assert quarter.tolist() == pytest.approx([0.75**1.5 * math.log(4)])


def test_gamma_zero_is_the_cross_entropy_with_all_its_settings():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 255, 1])
    settings = dict(class_weight=[1.0, 2.0, 0.5, 0.1], ignore_index=255, avg_non_ignore=True)
    loss = MODELS.build(dict(type="SoftmaxFocalLoss", gamma=0.0, loss_weight=2.0, **settings))
    weights = torch.tensor(settings["class_weight"])
    expected = F.cross_entropy(logits, labels, weights, ignore_index=255, reduction="sum") / 5 * 2
    torch.testing.assert_close(loss(logits, labels), expected)
    row = torch.tensor([0.0, 1, 1, 1, 1, 1])
    plain = F.cross_entropy(logits, labels, weights, ignore_index=255, reduction="none")
    torch.testing.assert_close(loss(logits, labels, row, avg_factor=3), (plain * row).sum() / 3 * 2)


@pytest.mark.parametrize("gamma", [0.5, 1.5])
def test_a_perfect_answer_has_a_finite_gradient(gamma):
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    softmax_focal(logits, torch.tensor([0, 0]), gamma).sum().backward()
    assert logits.grad.isfinite().all() and logits.grad[1].tolist() == pytest.approx([-1, 1])


def test_in_a_box_head_it_carries_weights():
    cfg = small_config("faster_rcnn")
    cfg.roi_head.bbox_head.loss_cls = dict(type="SoftmaxFocalLoss", gamma=1.5)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = build("faster_rcnn", cfg)
    assert honor_weights(model) == []
    images = torch.rand(1, 3, 64, 64)

    def loss(weight):
        torch.manual_seed(0)
        fields = dict(weight_cls=[weight], weight_box=[1.0])
        one = sample([(2, 2, 34, 34)], background_weight=weight, **fields)
        return model.loss(images, [one])["loss_cls"]

    torch.testing.assert_close(loss(0.3), loss(1.0) * 0.3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [(dict(gamma=-1), "gamma=-1"), (dict(use_sigmoid=True), "MMDetection's FocalLoss")],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        MODELS.build(dict(type="SoftmaxFocalLoss", **settings))
