import math

import pytest
import torch
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss
from torch.autograd import gradcheck


def test_sigmoid_by_hand():
    # At logit 0 both probabilities are 1/2: (1/2)^2 * ln 2, times alpha or 1 - alpha.
    part = 0.25 * math.log(2)
    loss = sigmoid_focal_loss(torch.zeros(2, 2), torch.tensor([1, 2]), 2.0, 0.25, None, "none")
    expected = torch.tensor([[0.75, 0.25], [0.75, 0.75]]) * part
    assert torch.allclose(loss, expected)


def test_softmax_by_hand():
    loss = softmax_focal_loss(torch.zeros(2, 2), torch.tensor([1, -1]), 2.0, 0.25, None, "none")
    assert loss.tolist() == pytest.approx([0.25 * 0.25 * math.log(2), 0.0])


def test_reductions_and_weights():
    logits, target = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 3])
    each = sigmoid_focal_loss(logits, target, 2.0, 0.25, None, "none")
    total = sigmoid_focal_loss(logits, target, 2.0, 0.25, None, "sum")
    assert torch.allclose(total, each.sum())
    assert torch.allclose(sigmoid_focal_loss(logits, target), each.sum() / 5)
    weighted = sigmoid_focal_loss(logits, target, 2.0, 0.25, torch.tensor([2.0, 3.0, 5.0]), "none")
    assert torch.allclose(weighted, each * torch.tensor([2.0, 3, 5, 5, 1])[:, None])


@pytest.mark.parametrize("loss", [sigmoid_focal_loss, softmax_focal_loss])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("gamma", [2.0, 1.0])
def test_gradients(loss, weighted, gamma):
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 2, 3, 3, 0])
    weight = torch.rand(4, dtype=torch.float64) if weighted else None
    assert gradcheck(lambda given: loss(given, target, gamma, 0.3, weight, "mean"), logits)


@pytest.mark.parametrize("loss", [sigmoid_focal_loss, softmax_focal_loss])
def test_certain_and_wrong_is_finite(loss):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    value = loss(logits, torch.tensor([1, 1]), 2.0, 0.25, None, "sum")
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", [sigmoid_focal_loss, softmax_focal_loss])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(loss, dtype):
    logits = torch.randn(6, 4).to(dtype)
    target = torch.tensor([0, 1, 2, 3, 3, 0])
    found = loss(logits, target, 2.0, 0.25, None, "none")
    assert found.dtype == dtype
    expected = loss(logits.float(), target, 2.0, 0.25, None, "none")
    assert torch.allclose(found.float(), expected, rtol=0.03, atol=0.01)


@pytest.mark.parametrize("loss", [sigmoid_focal_loss, softmax_focal_loss])
def test_no_boxes(loss):
    logits = torch.zeros(0, 4, requires_grad=True)
    total = loss(logits, torch.zeros(0, dtype=torch.long), 2.0, 0.25, None, "sum")
    total.backward()
    assert total == 0
    assert logits.grad.shape == (0, 4)
