import mmcv.ops
import pytest
import torch
from mmcv.ops import roi_align, roi_pool
from torch.autograd import gradcheck

from ssdet.ops import roi_align as module

ROIS = torch.tensor([[0, 1.0, 2, 6.3, 7.1], [1, -2, 0.5, 3, 4], [1, 4, 4, 4, 4]])


def ramp(height=8, width=9):
    """Features that are their own x and y: a bin's average is its center."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y])[None].float()


@pytest.mark.parametrize("ratio", [0, 1, 2])
def test_averages_of_a_ramp_are_the_centers(ratio):
    rois = torch.tensor([[0, 1.0, 1, 7, 5]])
    bins = roi_align(ramp(), rois, (2, 3), 1.0, ratio, "avg", True)[0]
    # Bins 2 wide and 2 high; pixel 0 has its center at 0.5.
    assert torch.allclose(bins[0], torch.tensor([[1.5, 3.5, 5.5]] * 2))
    assert torch.allclose(bins[1], torch.tensor([[1.5] * 3, [3.5] * 3]))
    legacy = roi_align(ramp(), rois, (2, 3), 1.0, ratio, "avg", False)[0]
    assert torch.allclose(legacy, bins + 0.5)


def test_maximum_of_a_ramp_is_the_last_sample():
    rois = torch.tensor([[0, 1.0, 1, 7, 5]])
    bins = roi_align(ramp(), rois, (2, 3), 1.0, 2, "max", True)[0]
    assert torch.allclose(bins[0], torch.tensor([[2.0, 4.0, 6.0]] * 2))


def test_scale_and_image_of_a_box():
    features = torch.stack([ramp()[0], ramp()[0] + 100])
    rois = torch.tensor([[1, 4.0, 4, 28, 20]])
    bins = roi_align(features, rois, (2, 3), 0.25, 2, "avg", True)[0]
    assert torch.allclose(bins[0], torch.tensor([[101.5, 103.5, 105.5]] * 2))


@pytest.mark.parametrize("pool", ["avg", "max"])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_gradients(pool, aligned, ratio):
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(2, 1, 6, 6, generator=draw, dtype=torch.float64, requires_grad=True)

    def pooled(given):
        return roi_align(given, ROIS.double(), (2, 3), 0.9, ratio, pool, aligned)

    assert gradcheck(pooled, features, eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_small_chunks_change_nothing(pool, monkeypatch):
    features, rois = torch.randn(2, 3, 8, 9), ROIS.repeat(5, 1)
    features.requires_grad_()
    results = []
    for weights, values in ((1 << 21, 1 << 24), (1, 1)):
        monkeypatch.setattr(module, "_WEIGHTS", weights)
        monkeypatch.setattr(module, "_VALUES", values)
        bins = roi_align(features, rois, (2, 3), 1.0, 0, pool, True)
        results.append((bins, *torch.autograd.grad(bins.square().sum(), features)))
    assert torch.allclose(results[0][0], results[1][0])
    assert torch.allclose(results[0][1], results[1][1], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_half_precision(dtype, pool):
    features = torch.randn(2, 3, 8, 9).to(dtype)
    expected = roi_align(features.float(), ROIS.to(dtype).float(), 3, 1.0, 0, pool, True)
    given = features.clone().requires_grad_()
    bins = roi_align(given, ROIS.to(dtype), 3, 1.0, 0, pool, True)
    assert bins.dtype == dtype
    assert torch.equal(bins[:2], expected[:2].to(dtype))
    (grad,) = torch.autograd.grad(bins.sum(), given)
    assert grad.dtype == dtype
    assert grad.isfinite().all()


def test_under_autocast():
    conv = torch.nn.Conv2d(3, 4, 1)
    layer = mmcv.ops.RoIAlign(3, 1.0)
    features = torch.randn(2, 3, 8, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        bins = layer(conv(features), ROIS)  # boxes in single precision, as they are best kept
    assert bins.dtype == torch.bfloat16
    assert torch.allclose(bins.float(), layer(conv(features), ROIS), atol=0.05)
    bins.float().sum().backward()
    assert conv.weight.grad.abs().sum() > 0


def test_gradient_of_strided_bins():
    features = torch.randn(2, 3, 8, 9, requires_grad=True)
    bins = roi_align(features, ROIS, 3, 1.0, 2, "avg", True)
    spread = torch.rand(3, 3, 3, 6)[..., ::2]
    (expected,) = torch.autograd.grad(bins, features, spread.contiguous(), retain_graph=True)
    (found,) = torch.autograd.grad(bins, features, spread)
    assert torch.equal(found, expected)


def test_inverted_boxes_are_named():
    rois = torch.cat([ROIS, torch.tensor([[0, 5.0, 1, 2, 4]])])
    with pytest.raises(RuntimeError, match=r"box 3 of 4 is \[5.0, 1.0, 2.0, 4.0\]"):
        roi_align(torch.randn(2, 3, 8, 9), rois, 3)
    assert roi_align(torch.randn(2, 3, 8, 9), rois, 3, 1.0, 0, "avg", False).isfinite().all()


def test_no_boxes():
    features = torch.randn(2, 3, 8, 9, requires_grad=True)
    for bins in (roi_align(features, ROIS[:0], 3), roi_pool(features, ROIS[:0], 3)):
        assert bins.shape == (0, 3, 3, 3)
        (grad,) = torch.autograd.grad(bins.sum(), features)
        assert not grad.any()


def test_roi_pool_by_hand():
    # Scaled by 1/2, the box covers pixels [1, 4.5) x [1, 3.5): bins of 1.75 x 1.25 pixels.
    rois = torch.tensor([[0, 2.0, 2, 8, 6]])
    bins = roi_pool(ramp(), rois, (2, 2), 0.5)[0]
    assert bins[0].tolist() == [[2.0, 4.0]] * 2
    assert bins[1].tolist() == [[2.0, 2.0], [3.0, 3.0]]


def test_roi_pool_gradient():
    features = torch.randn(2, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda given: roi_pool(given, ROIS.double(), (2, 3), 0.9), features)


def test_roi_pool_in_half_precision():
    features, rois = torch.randn(2, 3, 8, 9).bfloat16(), ROIS.bfloat16()
    bins = roi_pool(features, rois, 2)
    assert bins.dtype == torch.bfloat16
    assert torch.equal(bins.float(), roi_pool(features.float(), rois.float(), 2))
