"""Backbones of transformers: sizes, what learns, low-rank updates, rates by layer."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from torch import nn

from ssdet.exits import UsageError
from ssdet.models.layer_decay import LayerDecayConstructor
from ssdet.models.lora import LoRALinear
from ssdet.registry import MODELS

from ..helpers import build_pair, losses, multi_branch, tiny_retinanet, total
from ..seg_helpers import build_seg, seg_batch, tiny_fcn

pytest.importorskip("transformers")  # which Python 3.10 does not get
VIT = dict(hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=32)
STAGES = dict(depths=[1, 1, 2, 1])
KINDS = {
    "dinov2": (dict(VIT, mlp_ratio=2, patch_size=14, image_size=56), (2, 3), [(5, 7)] * 2),
    "dinov2_with_registers": (dict(VIT, mlp_ratio=2, patch_size=14, image_size=56), (3,), [(5, 7)]),
    "dinov3_vit": (dict(VIT, patch_size=16, num_register_tokens=4), (2, 3), [(5, 7)] * 2),
    "dinov3_convnext": (dict(STAGES, hidden_sizes=[8, 16, 16, 32]), (2, 3), [(8, 12), (4, 6)]),
    "swin": (
        dict(STAGES, embed_dim=8, num_heads=[1, 2, 2, 2], window_size=4, image_size=64),
        (2, 3),
        [(9, 13), (5, 7)],
    ),
}


def build(kind, **settings):
    config, indices, _ = KINDS[kind]
    settings = {"out_indices": indices, **settings}
    return MODELS.build(
        dict(type="HFBackbone", config=dict(config, model_type=kind), **copy.deepcopy(settings))
    )


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


def test_maps_cover_the_whole_image_and_every_parameter_learns(kind):
    """70 x 98 pixels: 5 x 7 patches of 14; of 16 that is 80 x 112, padded, and not 64 x 96."""
    torch.manual_seed(0)
    model = build(kind).train()
    maps = model(torch.randn(1, 3, 70, 98))
    expected = KINDS[kind][2]
    assert [tuple(one.shape[-2:]) for one in maps] == expected
    assert tuple(one.shape[1] for one in maps) == model.out_channels
    sum(one.square().sum() for one in maps).backward()
    learned = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    assert [n for n, p in learned if p.grad is None] == [] and learned
    if "din" in kind and "convnext" not in kind:
        assert model.network.config.num_hidden_layers == 3  # the fourth would run for nothing


def test_the_lowest_row_counts():
    """Without padding the last 6 rows of 70 would be cut off."""
    model = build("dinov3_vit").eval()
    image = torch.zeros(1, 3, 70, 96)
    changed = image.clone()
    changed[:, :, 66:] = 5.0
    with torch.no_grad():
        assert not torch.equal(model(image)[0], model(changed)[0])


def test_a_frozen_one_has_no_gradient_and_stays_in_eval_mode():
    model = build("dinov2", learning="frozen").train()
    assert not model.network.training
    assert not any(p.requires_grad for p in model.parameters())
    assert not model(torch.randn(1, 3, 28, 28))[0].requires_grad


def test_low_rank_updates_start_as_nothing_learn_alone_and_can_be_merged():
    """Of a layer of 32 x 32 with rank 2: 2 * (32 + 32) = 128; q and v of three layers: 768."""
    torch.manual_seed(0)
    plain = build("dinov3_vit").eval()
    torch.manual_seed(0)
    model = build("dinov3_vit", learning="lora", lora_rank=2, lora_alpha=4).eval()
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        start = [one.clone() for one in plain(image)]
        assert all(torch.equal(a, b) for a, b in zip(start, model(image), strict=True))
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 768
    for module in model.modules():
        if isinstance(module, LoRALinear):
            nn.init.normal_(module.up)
    with torch.no_grad():
        moved = [one.clone() for one in model(image)]
        assert not torch.allclose(moved[-1], start[-1])
        model.merge()
        merged = model(image)
    assert not any(isinstance(module, LoRALinear) for module in model.modules())
    for one, other in zip(moved, merged, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match=r"no linear layer of a .* is called query; it has"):
        build("dinov3_vit", learning="lora", lora_layers=["query"])


@pytest.mark.parametrize("learning", ["all", "lora"])
def test_published_weights_are_read_from_a_folder(learning, tmp_path):
    torch.manual_seed(0)
    model = build("dinov3_vit")
    model.network.save_pretrained(tmp_path)
    torch.manual_seed(1)
    other = build("dinov3_vit", pretrained=str(tmp_path), learning=learning).eval()
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(other(image)[-1], model.eval()(image)[-1], atol=1e-3)
        other.init_weights()
        torch.testing.assert_close(other(image)[-1], model(image)[-1])
    with pytest.raises(UsageError, match="copy it, and set pretrained=FOLDER"):
        build("dinov3_vit", pretrained=str(tmp_path / "gone")).init_weights()


def test_rates_fall_from_the_last_layer_to_the_first():
    """Three layers, decay .5: embeddings .5^4, layers .125, .25, .5, the norm 1; the head 1."""
    model = nn.Module()
    model.backbone = build("dinov3_vit")
    model.head = nn.Linear(4, 4)
    settings = dict(optimizer=dict(type="AdamW", lr=1.0, weight_decay=0.1))
    make = LayerDecayConstructor(ConfigDict(type="OptimWrapper", **settings), dict(decay=0.5))
    wrapper = make(model)
    assert isinstance(wrapper, OptimWrapper)
    names = {id(p): n for n, p in model.named_parameters()}
    found = {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in wrapper.optimizer.param_groups
        for p in group["params"]
    }
    vit = "backbone.network."
    assert found["head.weight"] == (1.0, 0.1) and found["head.bias"] == (1.0, 0.0)
    assert found[vit + "norm.weight"] == (1.0, 0.0)
    layers = {n: v for n, v in found.items() if ".layer." in n and n.endswith("q_proj.weight")}
    assert sorted(layers.values()) == [(0.125, 0.1), (0.25, 0.1), (0.5, 0.1)]
    assert found[vit + "embeddings.cls_token"] == (0.0625, 0.0)
    swin = build("swin")
    assert swin.layers == 5
    key = "swin.encoder.layers.2.blocks.1.layernorm_before.weight"
    assert swin.layer_of(key) == 4  # 1 + 1 blocks before its stage, and the second one of it


def test_a_pyramid_from_one_map():
    neck = MODELS.build(dict(type="SimpleFeaturePyramid", in_channels=32, out_channels=8))
    levels = neck([torch.randn(1, 32, 4, 6)])
    sizes = [tuple(one.shape[-2:]) for one in levels]
    assert sizes == [(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)]
    assert {one.shape[1] for one in levels} == {8}
    short = MODELS.build(
        dict(type="SimpleFeaturePyramid", in_channels=32, out_channels=8, start=1, num_outs=3)
    )
    assert [tuple(one.shape[-2:]) for one in short([torch.randn(1, 32, 4, 6)])] == sizes[1:4]


def test_a_detector_and_a_segmentor_train_on_it():
    config = dict(KINDS["dinov3_vit"][0], model_type="dinov3_vit")
    backbone = dict(type="HFBackbone", config=config, out_indices=[2], learning="lora")
    neck = dict(type="SimpleFeaturePyramid", in_channels=32, out_channels=16, start=1, num_outs=3)
    pair = build_pair(dict(tiny_retinanet(), backbone=backbone, neck=neck))
    total(losses(pair, multi_branch())).backward()
    learned = [p for p in pair.student.backbone.parameters() if p.requires_grad]
    assert learned and all(p.grad is not None for p in learned)
    fcn = tiny_fcn(in_channels=32, in_index=0)
    segmentor = build_seg(dict(fcn, backbone=backbone))
    found = losses(segmentor, seg_batch())
    total(found).backward()
    assert found["sup_decode.loss_ce"] > 0


def test_class_tokens_come_with_the_maps():
    config = dict(KINDS["dinov3_vit"][0], model_type="dinov3_vit")
    torch.manual_seed(0)
    model = MODELS.build(dict(type="HFBackbone", config=config, out_indices=[1, 2])).eval()
    image = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        maps = model(image)
        model.class_token = True
        levels = model(image)
    for one, (spatial, token) in zip(maps, levels, strict=True):
        torch.testing.assert_close(one, spatial)
        assert token.shape == (1, 32)
