"""DINOv2 as a backbone: beside PyTorch's own transformer layer, and with a decoder."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from torch import nn

from ssdet.engine.configs import load_config
from ssdet.hooks import ComplementaryDropoutHook
from ssdet.models import DINOv2
from ssdet.models.dinov2 import SIZES, _Block
from ssdet.registry import MODELS

from ..helpers import losses
from ..seg_helpers import seg_batch


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    """The smallest encoder, made smaller: 48 channels, 4 layers, 3 heads."""
    monkeypatch.setitem(SIZES, "small", (48, 4, 3, (0, 1, 2, 3)))


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    model = DINOv2("small", image_size=70)
    model.init_weights()
    return model.eval()


def test_a_block_is_a_transformer_layer_with_the_norm_first():
    block = _Block(24, 3).eval()
    layer = nn.TransformerEncoderLayer(
        24, 3, 96, 0.0, F.gelu, layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    names = {
        "self_attn.in_proj_": "attn.qkv.", "self_attn.out_proj.": "attn.proj.",
        "linear1.": "mlp.fc1.", "linear2.": "mlp.fc2.", "norm1.": "norm1.", "norm2.": "norm2.",
    }  # fmt: skip
    ours = block.state_dict()
    state = {a + end: ours[b + end] for a, b in names.items() for end in ("weight", "bias")}
    layer.load_state_dict(state)
    tokens = torch.randn(2, 7, 24)
    assert torch.allclose(block(tokens), layer(tokens), atol=1e-5)
    nn.init.zeros_(block.ls1.gamma)
    nn.init.zeros_(block.ls2.gamma)
    assert torch.equal(block(tokens), tokens)


def test_names_and_sizes_are_those_of_the_published_checkpoint():
    with torch.device("meta"):
        names = DINOv2("base").state_dict()
    assert sum(v.numel() for v in names.values()) == 86_580_480 - 768  # without the mask token
    assert names["pos_embed"].shape == (1, 1370, 768)
    assert names["blocks.11.attn.qkv.weight"].shape == (2304, 768)
    assert {"cls_token", "patch_embed.proj.weight", "blocks.0.ls1.gamma", "norm.bias"} <= set(names)


def test_levels_are_maps_and_class_tokens(encoder):
    levels = encoder(torch.randn(2, 3, 42, 70))
    assert [tuple(m.shape) for m, _ in levels] == [(2, 48, 3, 5)] * 4
    assert [tuple(t.shape) for _, t in levels] == [(2, 48)] * 4
    last = levels[-1][0].mean(1)
    assert torch.allclose(last, torch.zeros_like(last), atol=1e-5), "normalized over the channels"


def test_other_sizes_are_resized_to_the_nearest_patches(encoder):
    image = torch.randn(1, 3, 45, 69)
    resized = F.interpolate(image, (42, 70), mode="bilinear", align_corners=True)
    assert torch.equal(encoder(image)[0][0], encoder(resized)[0][0])


def test_positions(encoder):
    assert encoder.positions((5, 5)) is encoder.pos_embed
    other = encoder.positions((3, 8))
    assert other.shape == (1, 25, 48)
    assert torch.equal(other[:, 0], encoder.pos_embed[:, 0])
    ramp = DINOv2("small", image_size=140, offset=0.0)
    with torch.no_grad():
        ramp.pos_embed[0, 1:] = torch.arange(10.0).repeat_interleave(10)[:, None]
    found = ramp.positions((5, 10))[0, 1:, 0].view(5, 10)
    assert torch.allclose(found[1:4, 0], torch.tensor([2.5, 4.5, 6.5]), atol=0.1)
    assert torch.allclose(found, found[:, :1].expand(-1, 10))


def test_checkpoint(tmp_path, encoder):
    path = tmp_path / "dinov2.pth"
    torch.save({**encoder.state_dict(), "mask_token": torch.zeros(1, 48)}, path)
    other = DINOv2("small", str(path), image_size=70)
    other.init_weights()
    for key, value in other.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[key])
    with pytest.raises(RuntimeError, match=r"dinov2.pth does not fit this model.*registers"):
        DINOv2("small", str(path), image_size=70, registers=4).init_weights()
    with pytest.raises(FileNotFoundError, match=r"checkpoint='nowhere.pth': no such file"):
        DINOv2("small", "nowhere.pth").init_weights()


def test_frozen():
    model = DINOv2("small", image_size=28, frozen=True).train()
    assert not any(m.training for m in model.modules())
    assert not any(p.requires_grad for p in model.parameters())
    assert not model(torch.randn(1, 3, 28, 28, requires_grad=True))[0][0].requires_grad


def test_registers_and_recomputed_activations():
    model = DINOv2("small", image_size=28, registers=4, with_cp=True)
    found = model(torch.randn(1, 3, 28, 28))
    assert found[0][0].shape == (1, 48, 2, 2)
    found[-1][0].sum().backward()
    assert model.register_tokens.grad is not None


@pytest.mark.parametrize(
    ("settings", "says"),
    [(dict(size="huge"), "size='huge'"), (dict(size="small", out_indices=(4,)), "0 ... 3")],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        DINOv2(**settings)


def test_with_the_decoder_and_complementary_dropout():
    """The shipped model, its encoder made small: trains, one mask for all layers."""
    cfg = load_config("unimatch_v2/dpt_dinov2-b_voc12.py").model
    cfg.segmentor.backbone.update(size="small", checkpoint=None, image_size=28)
    cfg.segmentor.data_preprocessor.size = (28, 28)
    cfg.segmentor.decode_head.update(
        embed_dims=48, in_channels=(48,) * 4, post_process_channels=(8, 8, 8, 8), channels=8
    )
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build(cfg)
    model.init_weights()
    hook = ComplementaryDropoutHook(share_across_stages=True, intact=0.0)
    model.attach(hook)
    found = losses(model.train(), seg_batch(size=(28, 28), views=2))
    sum(v for k, v in found.items() if "loss" in k).backward()
    assert hook._masks[0][0].shape == (2, 48)
    for part in (model.student.backbone.blocks[0], model.student.decode_head):
        assert all(p.grad is not None for p in part.parameters())
