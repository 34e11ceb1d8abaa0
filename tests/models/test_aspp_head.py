"""The plain head of DeepLabV3+."""

import pytest
import torch
from torch import nn

from ssdet.models import PlainASPPHead


def head_of(**settings):
    plain = dict(
        in_channels=8,
        in_index=1,
        channels=6,
        dilations=(1, 2, 3),
        c1_in_channels=4,
        c1_channels=2,
        num_classes=3,
        norm_cfg=dict(type="BN"),
        align_corners=True,
    )
    return PlainASPPHead(**{**plain, **settings})


def shapes(head):
    """(channels out, channels in of a group, kernel) of all convolutions, pooling first."""
    convs = [m for m in head.modules() if isinstance(m, nn.Conv2d) and m is not head.conv_seg]
    assert all(conv.groups == 1 for conv in convs), "none is separable"
    return sorted(tuple(conv.weight.shape[:3]) for conv in convs)


@pytest.mark.parametrize("join", [1, 3])
def test_its_convolutions_are_those_of_the_published_code(join):
    """Three branches and the pooled one, joined; the low level; two of 3x3."""
    branches = [(6, 8, 1), (6, 8, 3), (6, 8, 3), (6, 8, 1)]
    rest = [(6, 24, join), (2, 4, 1), (6, 8, 3), (6, 6, 3)]
    assert shapes(head_of(join=join)) == sorted([*branches, *rest])
    dilated = [m.dilation for m in head_of().aspp_modules.modules() if isinstance(m, nn.Conv2d)]
    assert dilated == [(1, 1), (2, 2), (3, 3)]


def test_it_gives_logits_in_the_size_of_the_low_level():
    head = head_of().eval()
    assert head([torch.randn(2, 4, 12, 10), torch.randn(2, 8, 3, 5)]).shape == (2, 3, 12, 10)
    assert head_of(c1_in_channels=0, c1_channels=0).eval()(
        [torch.randn(2, 4, 12, 10), torch.randn(2, 8, 3, 5)]
    ).shape == (2, 3, 3, 5)


def test_other_kernels_are_refused():
    with pytest.raises(ValueError, match=r"PlainASPPHead: join=2 is not one of \[1, 3\]"):
        head_of(join=2)
