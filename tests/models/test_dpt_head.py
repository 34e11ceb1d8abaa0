"""The sizes of DPT's levels and its biases; nothing else differs from MMSegmentation's head."""

import pytest
import torch
from mmengine.registry import DefaultScope

from ssdet.engine.configs import load_config
from ssdet.models import ExactDPTHead
from ssdet.registry import MODELS

CONFIGS = ("unimatch_v2/dpt_dinov2-b_voc12.py", "unimatch_v2/dpt_dinov2-b_cityscapes.py")


def head_of(name=CONFIGS[0], **settings):
    """The head of a shipped config, made small."""
    config = load_config(name)
    head = config.model.segmentor.decode_head
    head.update(embed_dims=8, in_channels=(8,) * 4, post_process_channels=(4,) * 4, channels=4)
    head.update(settings)
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(head)


def levels_of(height, width):
    return [[torch.randn(1, 8, height, width), torch.randn(1, 8)] for _ in range(4)]


def sizes(head, inputs):
    """In which size each block meets its skip, and that of the result."""
    seen = []
    for block in head.fusion_blocks:
        block.res_conv_unit2.register_forward_hook(lambda _, x, y: seen.append(y.shape[2:]))
    result = head(inputs).shape[2:]
    return [*seen, result]


@pytest.mark.parametrize("name", CONFIGS)
def test_levels_keep_the_sizes_of_the_skips(name):
    head = head_of(name)
    assert isinstance(head, ExactDPTHead)
    assert sizes(head, levels_of(37, 37)) == [(n, n) for n in (19, 37, 74, 148, 296)]
    assert sizes(head_of(name), levels_of(7, 10)) == [(4, 5), (7, 10), (14, 20), (28, 40), (56, 80)]


def test_mmsegmentation_doubles_every_level():
    plain = head_of(type="DPTHead")
    assert sizes(plain, levels_of(37, 37)) == [(n, n) for n in (19, 38, 76, 152, 304)]


def test_with_an_even_number_of_patches_the_two_are_one():
    torch.manual_seed(0)
    ours, plain = head_of().eval(), head_of(type="DPTHead").eval()
    lost = plain.load_state_dict(ours.state_dict(), strict=False)
    assert not lost.missing_keys and all(key.endswith(".conv.bias") for key in lost.unexpected_keys)
    levels = levels_of(8, 6)
    torch.testing.assert_close(ours(levels), plain(levels))


def test_residual_convolutions_have_a_bias_unless_a_norm_follows():
    """Two units of two in each of the four blocks, but the first block has no skip."""
    biases = [name for name, _ in head_of().named_parameters() if "res_conv_unit" in name]
    assert sum(name.endswith("bias") for name in biases) == 4 * 2 * 2 - 2
    normed = dict(head_of(norm_cfg=dict(type="BN")).named_parameters())
    assert not [name for name in normed if name.endswith("unit2.conv1.conv.bias")]
