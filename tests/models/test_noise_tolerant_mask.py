"""The head of Noisy Boundaries and its loss."""

import copy
import math

import pytest
import torch

from ssdet.hooks import FixedThresholdHook
from ssdet.losses.boundaries import boundary_map
from ssdet.models import BoundaryMaskLoss, NoiseTolerantMaskHead
from ssdet.teacher_student.weights import honor_weights
from ssdet.teacher_student.weights.losses import queue_weights

from ..families.detectors import build, initialized, sample, small_config
from ..helpers import build_pair, losses, multi_branch

BOXES = [(4, 4, 36, 36), (30, 28, 62, 60)]


def config(**head):
    cfg = small_config("mask_rcnn")
    plain = dict(type="NoiseTolerantMaskHead", num_convs=2, loss_mask=None)
    cfg.roi_head.mask_head = {**cfg.roi_head.mask_head, **plain, **head}
    return cfg


def detector(**head):
    torch.manual_seed(0)
    return build("mask_rcnn", config(**head))


def loss_of(model, *samples):
    torch.manual_seed(3)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    found = model.loss(images, list(samples))
    return {k: sum(v) if isinstance(v, list) else v for k, v in found.items() if "loss" in k}


def test_the_loss_by_hand():
    """One pixel with p = 0.75 in a mask of p = 0.5: its Laplacian is 2, its neighbors' 0.25."""
    logits = torch.zeros(1, 2, 3, 3)
    logits[0, 1, 1, 1] = math.log(3)
    target = torch.zeros(1, 3, 3)
    target[0, 1, 1] = 1
    center, around = -math.log(0.75), math.log(2)
    label = torch.tensor([1])
    plain = (center + 8 * around) / 9
    pixel = (13.5 * center + 8 * 1.6875 * around) / 9
    for boundary, value in (("none", plain), ("mean", 3 * plain), ("pixel", pixel)):
        loss = BoundaryMaskLoss(boundary, loss_weight=2.0)
        assert loss(logits, target, label).item() == pytest.approx(2 * value, rel=1e-5)


def test_weights_of_masks_multiply_their_mean_over_pixels():
    torch.manual_seed(0)
    logits, target = torch.randn(3, 2, 6, 6), torch.rand(3, 6, 6).round()
    label, loss = torch.tensor([0, 1, 1]), BoundaryMaskLoss()
    rows = torch.stack([loss(logits[[i]], target[[i]], label[[i]])[0] for i in range(3)])
    weights = torch.tensor([0.0, 0.5, 2.0])
    queue_weights(loss, [weights])
    torch.testing.assert_close(loss(logits, target, label)[0], (rows * weights).mean())


def test_a_mask_without_a_boundary_has_a_finite_gradient():
    logits = torch.full((1, 1, 4, 4), -200.0, requires_grad=True)
    loss = BoundaryMaskLoss()(logits, torch.ones(1, 4, 4), torch.tensor([0]))
    loss.sum().backward()
    assert loss.item() == 0 and logits.grad.isfinite().all()


def test_the_weights_of_a_boundary_have_no_gradient():
    torch.manual_seed(0)
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    target, label = torch.ones(1, 4, 4), torch.tensor([0])
    BoundaryMaskLoss()(logits, target, label).backward()
    weight = boundary_map(logits[:, 0].detach().sigmoid())
    expected = weight * (logits[:, 0].detach().sigmoid() - 1) / 16
    torch.testing.assert_close(logits.grad[:, 0], expected)


def test_final_and_coarse_masks_of_a_head():
    head = NoiseTolerantMaskHead(num_convs=3, in_channels=8, conv_out_channels=8, num_classes=4)
    features = torch.randn(2, 8, 14, 14)
    assert head(features).shape == (2, 4, 28, 28)
    assert head.coarse.shape == (2, 4, 14, 14)
    head.eval()
    assert head(features).shape == (2, 4, 28, 28) and head.coarse is None


def test_both_losses_reach_every_parameter_and_the_head_can_be_copied():
    model = detector()
    assert honor_weights(model) == []
    found = loss_of(model, *(sample(BOXES, masks=True) for _ in range(2)))
    assert found["loss_mask"] > 0 and found["loss_mask_coarse"] > 0
    (found["loss_mask"] + found["loss_mask_coarse"]).sum().backward()
    head = model.roi_head.mask_head
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())
    assert copy.deepcopy(model).roi_head.mask_head.coarse is None


@pytest.mark.parametrize("loss", [None, dict(type="CrossEntropyLoss", use_mask=True)])
def test_weights_are_factors_on_both_losses(loss):
    model = detector(loss_mask=loss)
    honor_weights(model)
    plain, ones, less = (
        loss_of(model, *(sample(BOXES, masks=True, **fields) for _ in range(2)))
        for fields in ({}, dict(weight_mask=[1.0] * 2), dict(weight_mask=[0.25] * 2))
    )
    for key in ("loss_mask", "loss_mask_coarse"):
        torch.testing.assert_close(ones[key], plain[key])
        torch.testing.assert_close(less[key], plain[key] * 0.25)
    torch.testing.assert_close(less["loss_bbox"], plain["loss_bbox"])


def test_the_coarse_masks_are_compared_with_coarse_targets():
    """Logits that are sure of a box that the proposal is, in both resolutions: no loss."""
    model = detector(loss_mask=dict(type="BoundaryMaskLoss", boundary="none"))
    honor_weights(model)
    head = model.roi_head.mask_head

    def sure(x):
        head.coarse = torch.full((len(x), 3, 14, 14), 30.0)
        return torch.full((len(x), 3, 28, 28), 30.0, requires_grad=True)

    head.forward = sure
    model.roi_head.bbox_sampler.num, whole = 4, [(0, 0, 64, 64)]
    found = loss_of(model, *(sample(whole, masks=True) for _ in range(2)))
    assert found["loss_mask"] < 1e-6 and found["loss_mask_coarse"] < 1e-6


def test_no_positive_region_is_no_error():
    model = detector()
    honor_weights(model)
    found = loss_of(model, sample(masks=True), sample(masks=True))
    assert found["loss_mask"] == 0 and found["loss_mask_coarse"] == 0
    sum(value.sum() for value in found.values()).backward()


def test_a_frozen_mask_rcnn_with_a_plain_head_labels_for_it():
    plain = small_config("mask_rcnn")
    plain.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5, mask_thr_binary=0.0)
    torch.manual_seed(0)
    model = initialized(build_pair(config(), teacher=dict(model=plain)))
    model.attach(FixedThresholdHook(0.0))
    found = losses(model, multi_branch(sup=0, unsup=1))
    assert found["unsup_loss_mask"] > 0 and found["unsup_loss_mask_coarse"] > 0


def test_settings_without_a_meaning_are_refused():
    with pytest.raises(ValueError, match=r"upsample_cfg of type 'bilinear'; it needs"):
        NoiseTolerantMaskHead(upsample_cfg=dict(type="bilinear", scale_factor=2))
    with pytest.raises(ValueError, match="loss_mask=L1Loss is no loss of masks"):
        NoiseTolerantMaskHead(loss_mask=dict(type="mmdet.L1Loss"))
    with pytest.raises(ValueError, match="boundary='sum' is not one of"):
        BoundaryMaskLoss("sum")
