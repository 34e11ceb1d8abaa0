"""Backbones of timm, where timm is installed, in a detector and a segmentor."""

import sys

import pytest
import torch

from ssdet.exits import UsageError
from ssdet.registry import MODELS

from ..helpers import build_pair, losses, multi_branch, tiny_retinanet, total
from ..seg_helpers import build_seg, seg_batch, tiny_fcn

try:
    import timm
except (ImportError, RuntimeError):  # it needs a torchvision that fits PyTorch
    timm = None
needs_timm = pytest.mark.skipif(timm is None, reason="timm cannot be imported")
SIZES = dict(depths=(1, 1, 2, 1), dims=(8, 16, 32, 64))
KINDS = {
    "resnet10t": ((2, 3, 4), {}, [(8, 12), (4, 6), (2, 3)]),
    "convnext_atto": ((1, 2, 3), SIZES, [(8, 12), (4, 6), (2, 3)]),
    "vit_tiny_patch16_224": (
        (1, 2),
        dict(depth=4, embed_dim=32, num_heads=2, dynamic_img_size=True),
        [(4, 6), (4, 6)],
    ),
    "swin_tiny_patch4_window7_224": (
        (1, 2),
        dict(depths=(1, 1, 2, 1), embed_dim=16, num_heads=(1, 1, 2, 2), img_size=(64, 96)),
        [(8, 12), (4, 6)],
    ),
}  # fmt: skip


def config(name="resnet10t", **more):
    indices, settings, _ = KINDS[name]
    return dict(type="TimmBackbone", name=name, out_indices=indices, settings=settings, **more)


def test_without_timm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    message = r"timm cannot be imported .*that one must fit PyTorch, which is 2.*pip install timm"
    with pytest.raises(UsageError, match=message):
        MODELS.build(config())


@needs_timm
@pytest.mark.parametrize("name", KINDS)
def test_maps_have_the_channels_and_strides_it_names_and_every_parameter_learns(name):
    torch.manual_seed(0)
    model = MODELS.build(config(name)).train()
    maps = model(torch.randn(2, 3, 64, 96))
    assert [tuple(one.shape[-2:]) for one in maps] == KINDS[name][2]
    assert tuple(one.shape[1] for one in maps) == model.out_channels
    assert [64 // one.shape[-2] for one in maps] == list(model.strides)
    sum(one.square().sum() for one in maps).backward()
    learned = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    assert [n for n, p in learned if p.grad is None] == [] and learned


@needs_timm
def test_what_does_not_learn_stays_in_eval_mode():
    frozen = MODELS.build(config(learning="frozen")).train()
    assert not any(module.training for module in frozen.network.modules())
    assert not frozen(torch.randn(1, 3, 64, 64))[0].requires_grad
    norms = MODELS.build(config(norm_eval=True)).train()
    found = {type(m).__name__: m.training for m in norms.modules() if "Norm" in type(m).__name__}
    assert found and not any(found.values()) and norms.training
    assert all(parameter.requires_grad for parameter in norms.parameters())


@needs_timm
def test_a_file_is_read_when_a_training_starts(tmp_path):
    torch.manual_seed(3)
    whole = timm.create_model("resnet10t")
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    model = MODELS.build(config(pretrained=str(tmp_path / "w.pth")))
    weight = model.network.layer1[0].conv1.weight
    assert not torch.equal(weight, whole.layer1[0].conv1.weight)
    model.init_weights()
    assert torch.equal(weight, whole.layer1[0].conv1.weight)
    lost = MODELS.build(config(pretrained=str(tmp_path / "no.pth")))
    with pytest.raises(UsageError, match=r"pretrained='.*no.pth' cannot be read"):
        lost.init_weights()


@needs_timm
def test_a_detector_and_a_segmentor_learn_with_it():
    backbone = config()
    detector = tiny_retinanet()
    detector["backbone"] = backbone
    detector["neck"]["in_channels"] = [128, 256, 512]
    segmentor = tiny_fcn(in_channels=512)
    segmentor["backbone"] = backbone
    for model, batch in (
        (build_pair(detector), multi_branch()),
        (build_seg(segmentor), seg_batch()),
    ):
        total(losses(model, batch)).backward()
        stem = model.student.backbone.network.conv1.parameters()
        assert all(parameter.grad.any() for parameter in stem)


@needs_timm
def test_settings_are_checked():
    with pytest.raises(UsageError, match=r"has no model 'resnet10'; did you mean resnet10t"):
        MODELS.build(dict(type="TimmBackbone", name="resnet10"))
    with pytest.raises(UsageError, match=r"resnet10t cannot be built with .*'out_indices': \(9,\)"):
        MODELS.build(dict(type="TimmBackbone", name="resnet10t", out_indices=(9,)))
