"""Weights and validity of pixels in the losses of MMSegmentation's heads."""

import copy

import pytest
import torch
from mmseg.models.losses import DiceLoss
from torch.nn import functional as F

from ssdet.losses import masked_cross_entropy
from ssdet.teacher_student.step import PixelLabels, Views

from ..seg_helpers import CROSS_ENTROPY, build_seg, seg_sample, tiny_fcn

SIGMOID = dict(type="CrossEntropyLoss", use_sigmoid=True, avg_non_ignore=True)
DICE = dict(type="DiceLoss", use_sigmoid=False)
PER_PIXEL = {
    "cross entropy": CROSS_ENTROPY,
    "sigmoid": SIGMOID,
    "two": [CROSS_ENTROPY, dict(SIGMOID, loss_weight=0.4)],
}
CLASS_WEIGHTS = [1.0, 2.0, 0.5, 1.0]


def model_of(loss, reduction="valid", classes=4, **head):
    cfg = tiny_fcn(classes, loss_decode=loss, **head)
    return build_seg(cfg, reduction=reduction)


def losses_at(model, logits, targets):
    """Losses of the student's decode head for given logits, and the gradient there."""
    logits = logits.clone().requires_grad_()
    model.student.decode_head.forward = lambda features: logits
    views = Views(torch.zeros(len(logits), 3, *logits.shape[-2:]), [])
    views.samples = [seg_sample(tuple(logits.shape[-2:])) for _ in logits]
    found = model.student_losses(views, targets)
    total = sum(v for k, v in found.items() if "loss" in k)
    total.backward()
    return total.detach(), logits.grad


def targets_of(labels, weights=None, valid=None):
    labels = torch.as_tensor(labels)
    weights = torch.ones(labels.shape) if weights is None else torch.as_tensor(weights)
    valid = torch.ones(labels.shape, dtype=torch.bool) if valid is None else torch.as_tensor(valid)
    return PixelLabels(labels.where(valid, 255), torch.ones(labels.shape), weights, valid)


def corner_targets(labels):
    """All weights 1 but those of the first row: 1, 0.3, 0, and one pixel that is not valid."""
    weights, valid = torch.ones(labels.shape), torch.ones(labels.shape, dtype=torch.bool)
    weights[:, 0, :3] = torch.tensor([1.0, 0.3, 0.0])
    valid[:, 0, 3] = False
    return targets_of(labels, weights, valid)


@pytest.mark.parametrize("loss", PER_PIXEL.values(), ids=PER_PIXEL)
@pytest.mark.parametrize("reduction", ["valid", "kept"])
def test_gradients_follow_the_weights(loss, reduction):
    model = model_of(loss, reduction)
    logits = torch.randn(2, 4, 1, 1).repeat(1, 1, 8, 8)
    _, gradient = losses_at(model, logits, corner_targets(torch.ones(2, 8, 8, dtype=torch.long)))
    full, light, none, padded = gradient[:, :, 0, :4].unbind(-1)
    assert full.abs().min() > 0
    assert torch.allclose(light, 0.3 * full, rtol=1e-5)
    assert not none.any() and not padded.any()


@pytest.mark.parametrize("reduction", ["valid", "kept", "image"])
@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS])
def test_cross_entropy_is_the_masked_one(reduction, class_weights):
    model = model_of(dict(CROSS_ENTROPY, class_weight=class_weights), reduction)
    logits, labels = torch.randn(2, 4, 8, 8), torch.randint(4, (2, 8, 8))
    targets = corner_targets(labels)
    found, gradient = losses_at(model, logits, targets)
    leaf = logits.clone().requires_grad_()
    table = None if class_weights is None else torch.tensor(class_weights)
    expected = masked_cross_entropy(
        leaf, targets.labels, targets.weights, targets.valid, reduction, class_weights=table
    )
    expected.backward()
    assert torch.allclose(found, expected) and torch.allclose(gradient, leaf.grad)


def test_heads_that_do_not_say_what_is_ignored():
    model, logits = model_of(CROSS_ENTROPY), torch.randn(1, 4, 8, 8)
    targets = corner_targets(torch.ones(1, 8, 8, dtype=torch.long))
    with model.pixel_weights[model.student].of(targets):
        loss = model.student.decode_head.loss_decode
        assert torch.equal(
            loss(logits, targets.labels), loss(logits, targets.labels, ignore_index=255)
        )


def test_image_reduction_trains_on_every_valid_pixel():
    model = model_of(CROSS_ENTROPY, "image")
    labels = torch.ones(1, 8, 8, dtype=torch.long)
    _, gradient = losses_at(model, torch.zeros(1, 4, 8, 8), corner_targets(labels))
    assert torch.allclose(gradient[0, :, 0, 2], gradient[0, :, 5, 5])
    assert not gradient[0, :, 0, 3].any()


@pytest.mark.parametrize(
    "loss",
    [*PER_PIXEL.values(), DICE, dict(DICE, naive_dice=True)],
    ids=[*PER_PIXEL, "dice", "naive"],
)
def test_weights_of_one_are_the_plain_loss(loss):
    """The head's own losses on the same labels, without sampling and with nothing ignored."""
    model = model_of(loss)
    logits, labels = torch.randn(2, 4, 8, 8), torch.randint(4, (2, 8, 8))
    found, gradient = losses_at(model, logits, targets_of(labels))
    leaf = logits.clone().requires_grad_()
    samples = [seg_sample((8, 8), gt=one) for one in labels]
    plain = model.student.decode_head.loss_by_feat(leaf, samples)
    expected = sum(v for k, v in plain.items() if "loss" in k)
    expected.backward()
    assert torch.allclose(found, expected, rtol=1e-5)
    assert torch.allclose(gradient, leaf.grad, rtol=1e-4, atol=1e-7)


def test_one_channel_heads():
    model = model_of(SIGMOID, classes=2, out_channels=1, threshold=0.5)
    labels = torch.ones(1, 8, 8, dtype=torch.long)
    logits = torch.zeros(1, 1, 8, 8)
    found, gradient = losses_at(model, logits, corner_targets(labels))
    # log 2 for each of 63 valid pixels; weights 60 + 1 + 0.3 + 0
    assert torch.allclose(found, torch.tensor(2.0).log() * 61.3 / 63)
    assert gradient[0, 0, 0, :4].tolist() == pytest.approx([-0.5 / 63, -0.15 / 63, 0.0, 0.0])


@pytest.mark.parametrize("settings", [dict(), dict(naive_dice=True), dict(ignore_index=0)])
def test_dice_with_weights_of_zero_does_not_see_the_pixels(settings):
    model = model_of(dict(DICE, **settings))
    logits, labels = torch.randn(2, 4, 8, 8), torch.randint(4, (2, 8, 8))
    weights, valid = torch.ones(2, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)
    weights[:, :4] = 0.0
    valid[:, 4:6] = False
    found, gradient = losses_at(model, logits, targets_of(labels, weights, valid))
    seen = DiceLoss(use_sigmoid=False, **settings)(logits[:, :, 6:], labels[:, 6:])
    assert torch.allclose(found, seen, rtol=1e-5)
    assert not gradient[:, :, :6].any() and gradient[:, :, 6:].any()


def test_one_channel_dice_is_coded_as_the_plain_one():
    loss = dict(type="DiceLoss", use_sigmoid=True)
    model = model_of(loss, classes=2, out_channels=1, threshold=0.5)
    logits, labels = torch.randn(2, 1, 8, 8), torch.randint(2, (2, 8, 8))
    found, _ = losses_at(model, logits, targets_of(labels))
    assert torch.allclose(found, DiceLoss(use_sigmoid=True)(logits, labels), rtol=1e-5)


def test_auxiliary_heads_carry_the_weights_too():
    model = build_seg(tiny_fcn(auxiliary=True))
    views = Views(torch.randn(1, 3, 32, 32), [seg_sample()])
    labels = torch.ones(1, 32, 32, dtype=torch.long)
    one = model.student_losses(views, targets_of(labels))
    half = model.student_losses(views, targets_of(labels, torch.full((1, 32, 32), 0.5)))
    for key in ("decode.loss_ce", "aux.loss_ce"):
        assert torch.allclose(half[key], 0.5 * one[key])


def test_hard_examples_are_mined_in_labeled_images_only():
    sampler = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=4)
    model = model_of(CROSS_ENTROPY, sampler=sampler)
    logits, labels = torch.randn(1, 4, 8, 8), torch.randint(4, (1, 8, 8))
    found, _ = losses_at(model, logits, targets_of(labels))
    assert torch.allclose(found, F.cross_entropy(logits, labels))
    assert model.student.decode_head.sampler is not None
    mined = model.student.decode_head.loss_by_feat(logits, [seg_sample((8, 8), gt=labels[0])])
    assert not torch.allclose(found, mined["loss_ce"])


@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS])
def test_ohem_losses_see_every_pixel_of_pseudo_labels(said, class_weights):
    """DDRNet's `OhemCrossEntropy`: of labels its hardest pixels, of pseudo labels all, weighted."""
    ohem = dict(type="OhemCrossEntropy", thres=0.3, min_kept=4, loss_weight=0.4)
    model = model_of(dict(ohem, class_weight=class_weights))
    assert said == []
    logits, labels = torch.randn(2, 4, 8, 8), torch.randint(4, (2, 8, 8))
    targets = corner_targets(labels)
    found, gradient = losses_at(model, logits, targets)
    plain = model_of(dict(CROSS_ENTROPY, class_weight=class_weights))
    expected, other = losses_at(plain, logits, targets)
    assert torch.allclose(found, 0.4 * expected) and torch.allclose(gradient, 0.4 * other)
    loss = model.student.decode_head.loss_decode
    assert not torch.isclose(loss(logits, labels), 0.4 * F.cross_entropy(logits, labels))


def test_heads_are_as_before_after_an_error():
    model = model_of([CROSS_ENTROPY, DICE])
    before = list(model.student.decode_head.loss_decode)
    targets = targets_of(torch.ones(1, 8, 8, dtype=torch.long))
    with pytest.raises(RuntimeError, match="stop"), model.pixel_weights[model.student].of(targets):
        raise RuntimeError("stop")
    assert list(model.student.decode_head.loss_decode) == before


def test_models_can_be_copied():
    model = model_of(CROSS_ENTROPY)
    twin = copy.deepcopy(model)
    logits = torch.randn(1, 4, 8, 8)
    targets = corner_targets(torch.ones(1, 8, 8, dtype=torch.long))
    found, _ = losses_at(twin, logits, targets)
    assert torch.equal(found, losses_at(model, logits, targets)[0])


@pytest.fixture
def said(monkeypatch):
    """What is logged."""
    texts = []
    for module in ("segmentor", "pixel_weights"):
        name = f"ssdet.teacher_student.{module}.print_log"
        monkeypatch.setattr(name, lambda text, **_: texts.append(text))
    return texts


def test_a_loss_that_cannot_carry_weights_is_named_once(said):
    lovasz = dict(type="LovaszLoss", per_image=False, reduction="none")
    model = model_of([CROSS_ENTROPY, lovasz])
    assert said == [
        "TeacherStudentSegmentor: decode_head.loss_decode (LovaszLoss) does not support weights "
        "of pixels and uses weight 1; it ignores pixels that are not trained on (label 255)"
    ]
    labels = torch.ones(1, 8, 8, dtype=torch.long)
    logits = torch.randn(1, 4, 8, 8)
    for _ in range(2):
        _, gradient = losses_at(model, logits, corner_targets(labels))
    assert len(said) == 1
    assert not gradient[:, :, 0, 2:4].any() and gradient[:, :, 0, 1].any()


def test_losses_that_carry_weights_are_not_named(said):
    model_of([CROSS_ENTROPY, SIGMOID, DICE])
    assert said == []


def test_a_loss_at_sampled_points_says_so_once(said):
    model = model_of(CROSS_ENTROPY)
    targets = targets_of(torch.ones(1, 8, 8, dtype=torch.long))
    points, labels = torch.randn(1, 4, 12), torch.randint(4, (1, 12))
    for _ in range(2):
        with model.pixel_weights[model.student].of(targets):
            found = model.student.decode_head.loss_decode(points, labels, ignore_index=255)
        assert torch.allclose(found, F.cross_entropy(points, labels))
    assert len(said) == 1 and said[0].startswith("CrossEntropyLoss is computed at sampled points")
