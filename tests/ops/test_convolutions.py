import mmcv.ops
import pytest
import torch
from mmcv.ops import deform_conv2d, modulated_deform_conv2d
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch.autograd import gradcheck
from torch.nn import functional


@pytest.fixture
def inputs():
    """Features, offset, mask, weight and bias for kernel 3 x 2, stride 2, 1 and two groups."""
    torch.manual_seed(3)
    shapes = [(2, 4, 4, 4), (2, 24, 2, 3), (2, 12, 2, 3), (2, 2, 3, 2), (2,)]
    values = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    values[2].sigmoid_()
    return [value.requires_grad_() for value in values]


SETTINGS = ((2, 1), (1, 0), 1, 2, 2)  # stride, padding, dilation, groups, deform groups


def test_without_offsets_it_is_a_convolution(inputs):
    features, offset, mask, weight, bias = (value.detach().float() for value in inputs)
    expected = functional.conv2d(features, weight, None, (2, 1), (1, 0), 1, 2)
    found = deform_conv2d(features, offset * 0, weight, *SETTINGS)
    assert torch.allclose(found, expected, atol=1e-5)
    found = modulated_deform_conv2d(features, offset * 0, mask * 0 + 0.5, weight, bias, *SETTINGS)
    assert torch.allclose(found, expected / 2 + bias.view(-1, 1, 1), atol=1e-5)


def test_offsets_by_hand():
    features = torch.arange(12.0).view(1, 1, 3, 4)
    weight = torch.ones(1, 1, 1, 1)
    offset = torch.zeros(1, 2, 3, 4)
    offset[0, :, 0, 0] = torch.tensor([1.0, 0.5])  # down by 1, right by 1/2: between 4 and 5
    offset[0, :, 1, 1] = torch.tensor([-1.5, 0.0])  # half outside: half of pixel 1
    offset[0, :, 2, 3] = torch.tensor([0.0, 1.0])  # one beyond the border: nothing
    found = deform_conv2d(features, offset, weight)[0, 0]
    assert (found[0, 0], found[1, 1], found[2, 3]) == (4.5, 0.5, 0.0)
    assert found[2, :3].tolist() == [8.0, 9.0, 10.0]


def test_gradients(inputs):
    features, offset, _, weight, _ = inputs

    def convolve(*given):
        return deform_conv2d(*given, *SETTINGS)

    assert gradcheck(convolve, (features, offset, weight), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("with_bias", [True, False])
def test_gradients_modulated(inputs, with_bias):
    def convolve(*given):
        return modulated_deform_conv2d(*given, *([] if with_bias else [None]), *SETTINGS)

    assert gradcheck(convolve, inputs if with_bias else inputs[:4], eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(inputs, dtype):
    given = [value.detach().to(dtype) for value in inputs]
    found = modulated_deform_conv2d(*given, *SETTINGS)
    expected = modulated_deform_conv2d(*(value.float() for value in given), *SETTINGS)
    assert found.dtype == dtype
    assert torch.allclose(found.float(), expected, rtol=0.01, atol=0.02)


def test_under_autocast():
    layer = mmcv.ops.ModulatedDeformConv2dPack(3, 4, 3, padding=1)
    features = torch.randn(2, 3, 6, 6)
    expected = layer(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(features)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), expected, atol=0.03)
    found.float().square().sum().backward()
    assert all(value.grad.isfinite().all() for value in layer.parameters())
    assert layer.conv_offset.weight.grad.abs().sum() > 0


def test_other_offsets_are_refused(inputs):
    features, offset, _, weight, _ = inputs
    with pytest.raises(RuntimeError, match=r"\[12, 2, 3\].*need \[24, 2, 3\]"):
        deform_conv2d(features, offset[:, :12], weight, *SETTINGS)


def test_masked_convolution_is_a_convolution_where_the_mask_is():
    layer = mmcv.ops.MaskedConv2d(3, 4, 3, padding=1)
    features, mask = torch.randn(1, 3, 5, 6), torch.rand(1, 5, 6).round()
    with torch.no_grad():
        assert torch.allclose(layer(features, mask), layer(features) * mask, atol=1e-6)


def test_deformable_attention():
    torch.manual_seed(0)
    shapes = torch.tensor([[4, 5], [2, 3]])
    value = torch.randn(2, 26, 2, 3, requires_grad=True)
    locations = torch.rand(2, 5, 2, 2, 4, 2, requires_grad=True)
    weights = torch.rand(2, 5, 2, 2, 4, requires_grad=True)
    inputs, starts = (value, locations, weights), torch.tensor([0, 20])
    expected = multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
    found = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, *inputs[1:], 64)
    assert torch.equal(found, expected)
    cotangent = torch.randn_like(found)
    for have, want in zip(
        torch.autograd.grad(found, inputs, cotangent),
        torch.autograd.grad(expected, inputs, cotangent),
        strict=True,
    ):
        assert torch.allclose(have, want)
