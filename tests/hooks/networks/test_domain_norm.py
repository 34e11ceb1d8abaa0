"""Norm layers of two domains."""

import copy

import pytest
import torch
from mmcv.cnn import build_norm_layer
from torch import nn

from ssdet.hooks import DomainNormHook
from ssdet.models import DomainBN, DomainGN
from ssdet.models.domain_norm import domain_norms, labeled_domain

from ...helpers import losses, total
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


def pair(**settings):
    model = build_seg(tiny_fcn(norm="DomainBN"), **settings)
    model.attach(DomainNormHook())
    return model


@pytest.mark.parametrize(
    ("cfg", "kind", "name"),
    [
        (dict(type="DomainBN", momentum=0.3), DomainBN, "bn1"),
        (dict(type="DomainGN", num_groups=2), DomainGN, "gn1"),
    ],
)
def test_a_norm_cfg_makes_one_and_both_begin_alike(cfg, kind, name):
    found, layer = build_norm_layer(cfg, 4, postfix=1)
    assert found == name and type(layer) is kind
    inputs = torch.randn(2, 4, 3, 3)
    with labeled_domain(layer):
        labeled = layer(inputs)
    assert torch.equal(labeled, layer(inputs))


def test_each_domain_has_statistics_of_its_own():
    layer = DomainBN(2, momentum=1.0)
    bright, dark = torch.randn(4, 2, 3, 3) + 5, torch.randn(4, 2, 3, 3) - 5
    with labeled_domain(layer):
        layer(bright)
    layer(dark)
    torch.testing.assert_close(layer.labeled.running_mean, bright.mean((0, 2, 3)))
    torch.testing.assert_close(layer.running_mean, dark.mean((0, 2, 3)))


def test_a_plain_checkpoint_fills_both_and_one_with_a_twin_is_kept():
    plain, layer = nn.BatchNorm2d(2), DomainBN(2)
    plain.weight.data.fill_(3.0)
    layer.load_state_dict(plain.state_dict())
    assert layer.labeled.weight.tolist() == layer.weight.tolist() == [3, 3]
    layer.labeled.weight.data.fill_(4.0)
    again = DomainBN(2)
    again.load_state_dict(layer.state_dict())
    assert again.labeled.weight.tolist() == [4, 4] and again.weight.tolist() == [3, 3]


def test_a_plain_checkpoint_of_a_whole_model_is_loaded_without_complaint(capsys):
    torch.manual_seed(1)
    plain = build_seg(tiny_fcn(norm="BN")).student
    model = pair()
    model.load_state_dict(plain.state_dict())
    assert "missing in the checkpoint" not in capsys.readouterr().err
    layer = domain_norms(model.student)[0]
    assert torch.equal(layer.labeled.weight, plain.backbone.bn1.weight)


def test_labeled_images_train_the_twin_and_unlabeled_ones_the_plain_layer():
    model, found = pair(), {}
    for name, inside in (("plain", False), ("twin", True)):
        model.zero_grad()
        for role in model.student.parameters():
            role.grad = None
        batch = seg_batch(2 if inside else 0, 0 if inside else 2)
        if not inside:  # a sure teacher
            model.label = sure(model.label)
        total(losses(model, batch)).backward()
        found[name] = [
            (bool(one.weight.grad.any()), bool(one.labeled.weight.grad.any()))
            for one in domain_norms(model.student)
        ]
    assert set(found["plain"]) == {(True, False)} and set(found["twin"]) == {(False, True)}


def sure(label):
    def surely(*args, **kwargs):
        pixels = label(*args, **kwargs)
        pixels.scores = torch.ones_like(pixels.scores)
        return pixels

    return surely


def test_until_the_end_of_the_burn_in_all_images_are_of_one_domain():
    model = pair(burn_in=2)
    layer = domain_norms(model.student)[0]
    first = copy.deepcopy(layer.labeled.state_dict())
    for _ in range(2):
        losses(model, seg_batch())
    assert torch.equal(layer.labeled.running_mean, first["running_mean"])
    learned = layer.running_mean.clone()
    assert not torch.equal(learned, first["running_mean"])
    with torch.no_grad():
        layer.weight.fill_(3.0)  # as if the optimizer had stepped
    losses(model, seg_batch())
    moved = layer.labeled.running_mean
    expected = 0.9 * learned  # the twin began as a copy, and has seen one batch since
    assert not torch.equal(moved, learned) and (moved - expected).abs().max() < learned.abs().max()
    assert (layer.labeled.weight == 3).all() and int(layer.labeled.num_batches_tracked) == 3
    assert not any(one.on_labeled for one in domain_norms(model.student))


def test_a_model_without_such_layers_is_refused():
    with pytest.raises(ValueError, match="DomainNormHook: the student has no layer DomainBN"):
        build_seg().attach(DomainNormHook())
