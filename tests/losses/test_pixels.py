"""The three means over pixels, against numbers worked out by hand."""

import math

import pytest
import torch

from ssdet.losses import effective_weights, masked_cross_entropy, pixel_mean, weighted_dice

# One image of 2x2: a sure pixel, one of weight 0.5, one that is not trained on, one padded.
LOSSES = torch.tensor([[[1.0, 2.0], [4.0, 8.0]]])
WEIGHTS = torch.tensor([[[1.0, 0.5], [0.0, 1.0]]])
VALID = torch.tensor([[[True, True], [True, False]]])


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("valid", (1 * 1 + 2 * 0.5) / 3),
        ("kept", (1 * 1 + 2 * 0.5) / 2),
        ("image", (1 + 0.5) / 3 * (1 + 2 + 4) / 3),
    ],
)
def test_two_by_two(reduction, expected):
    assert pixel_mean(LOSSES, WEIGHTS, VALID, reduction).item() == pytest.approx(expected)


def test_image_reduction_takes_one_share_for_the_whole_batch():
    losses = torch.ones(2, 1, 2)
    weights = torch.tensor([[[1.0, 1.0]], [[1.0, 0.0]]])
    weighted = effective_weights(weights, torch.ones(2, 1, 2, dtype=torch.bool), "image")
    assert torch.equal(weighted, torch.full((2, 1, 2), 0.75))
    assert pixel_mean(losses, weights, weighted > 0, "image") == 0.75


def test_an_infinite_loss_that_is_not_trained_on_does_not_count():
    losses = torch.tensor([[[1.0, 2.0], [math.inf, math.nan]]])
    assert pixel_mean(losses, WEIGHTS, VALID).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("reduction", ["valid", "kept", "image"])
@pytest.mark.parametrize("empty", ["padding", "nothing kept"])
def test_nothing_gives_zero_with_a_graph(reduction, empty):
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    labels = torch.full((1, 2, 2), 255 if empty == "padding" else 1)
    valid = torch.full((1, 2, 2), empty != "padding")
    weights = torch.full((1, 2, 2), float(empty == "padding"))
    loss = masked_cross_entropy(logits, labels, weights, valid, reduction)
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_cross_entropy_by_hand():
    """Two classes, logits (0, log 3): probabilities 1/4 and 3/4."""
    logits = torch.tensor([0.0, math.log(3.0)]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    labels = torch.tensor([[[1, 0], [1, 255]]])
    weights = torch.tensor([[[1.0, 0.5], [0.0, 1.0]]])
    loss = masked_cross_entropy(logits, labels, weights, VALID)
    assert loss.item() == pytest.approx((math.log(4 / 3) + 0.5 * math.log(4)) / 3, rel=1e-6)
    heavier = masked_cross_entropy(
        logits, labels, weights, VALID, class_weights=torch.tensor([2.0, 1.0])
    )
    assert heavier.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 3, rel=1e-6)


@pytest.mark.parametrize("reduction", ["valid", "kept"])
def test_gradients_follow_the_weights(reduction):
    torch.manual_seed(1)
    logits = torch.randn(1, 3, 1, 1).repeat(1, 1, 2, 2).requires_grad_()
    labels = torch.ones(1, 2, 2, dtype=torch.long)
    weights = torch.tensor([[[1.0, 0.3], [0.0, 1.0]]])
    masked_cross_entropy(logits, labels, weights, VALID, reduction).backward()
    full, light, none, padded = logits.grad[0].flatten(1).T
    assert torch.allclose(light, 0.3 * full) and full.abs().min() > 0
    assert not none.any() and not padded.any()


@pytest.mark.parametrize("reduction", ["valid", "kept", "image"])
def test_all_weights_times_w_is_w_times_the_loss(reduction):
    one = pixel_mean(LOSSES, WEIGHTS, VALID, reduction)
    assert torch.allclose(pixel_mean(LOSSES, 0.3 * WEIGHTS, VALID, reduction), 0.3 * one)


def test_autocast_does_not_reach_the_loss():
    logits, labels = torch.randn(1, 4, 8, 8), torch.randint(4, (1, 8, 8))
    ones = torch.ones(1, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        half = masked_cross_entropy(logits, labels, ones, ones.bool())
    assert half.dtype == torch.float32
    assert half == masked_cross_entropy(logits, labels, ones, ones.bool())


def test_dice_by_hand():
    probabilities = torch.tensor([[[[0.5, 1.0, 0.9]]]])
    target = torch.tensor([[[[1.0, 0.0, 1.0]]]])
    weights = torch.tensor([[[1.0, 0.5, 0.0]]])
    plain = weighted_dice(probabilities, target, weights, squared=False, eps=0.0)
    assert plain.item() == pytest.approx(1 - 2 * 0.5 / (0.5 + 1 + 0.5))
    squared = weighted_dice(probabilities, target, weights, eps=0.0)
    assert squared.item() == pytest.approx(1 - 2 * 0.5 / (0.25 + 1 + 0.5))


def test_dice_without_any_weight_is_zero_with_a_graph():
    probabilities = torch.rand(2, 3, 4, 4, requires_grad=True)
    weights = torch.zeros(2, 4, 4)
    weights[1, 0, 0] = 1.0
    loss = weighted_dice(probabilities, torch.ones(2, 3, 4, 4), weights)
    loss.sum().backward()
    assert loss[0] == 0 and loss[1] > 0
    assert not probabilities.grad[0].any() and not probabilities.grad[1, :, 1:].any()
    assert probabilities.grad[1, :, 0, 0].all()
