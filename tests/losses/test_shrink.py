"""ShrinkMatch pixel by pixel, beside a loop that follows the words of the paper."""

import math

import pytest
import torch

from ssdet.losses.shrink import shrink_classes, shrink_loss, shrunk_cross_entropy


def at_one_pixel(*values):
    return torch.tensor(values).view(1, -1, 1, 1)


def by_loop(probabilities, logits, threshold):
    """For one pixel: classes removed (k), certain, usable, shrunk cross entropy."""
    order = sorted(range(len(probabilities)), key=lambda c: -probabilities[c])
    top = order[0]
    if probabilities[top] >= threshold:
        kept, k, certain, usable = order, 1, True, False
    else:
        certain = usable = False
        for k in range(2, len(order)):
            kept = [top, *order[k:]]
            if probabilities[top] / sum(probabilities[c] for c in kept) >= threshold:
                usable = True
                break
        else:
            k, kept = len(order) - 1, [top, *order[len(order) - 1 :]]
    scale = sum(math.exp(logits[c]) for c in kept)
    return k, certain, usable, -math.log(math.exp(logits[top]) / scale)


def test_by_hand():
    """p = (.5, .4, .06, .04). At .8: without the second, .5/.6 = .833 passes: k = 2. At .95:
    k = 3 gives .5/.54 = .926, and one class has to stay: not usable."""
    p = at_one_pixel(0.5, 0.4, 0.06, 0.04)
    found = shrink_classes(p, 0.8)
    assert (found.removed.item(), found.certain.item(), found.usable.item()) == (2, False, True)
    assert found.score.item() == 0.5
    logits = at_one_pixel(1.0, 5.0, 0.0, -1.0)
    expected = math.log(math.exp(1) + math.exp(0) + math.exp(-1)) - 1.0
    assert shrunk_cross_entropy(logits, found).item() == pytest.approx(expected, abs=1e-6)
    strict = shrink_classes(p, 0.95)
    assert (strict.removed.item(), strict.usable.item()) == (3, False)


def test_a_certain_pixel_is_left_to_the_ordinary_loss():
    found = shrink_classes(at_one_pixel(0.02, 0.96, 0.02), 0.95)
    assert found.certain.item() and not found.usable.item() and found.removed.item() == 1


def test_three_classes_lose_one_at_most_and_two_lose_none():
    three = shrink_classes(at_one_pixel(0.5, 0.45, 0.05), 0.9)
    assert three.usable.item() and three.removed.item() == 2
    two = shrink_classes(at_one_pixel(0.6, 0.4), 0.95)
    assert not two.usable.any() and not two.certain.any()


@pytest.mark.parametrize("classes", [2, 3, 6, 19])
@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_vectorized_equals_the_loop(classes, threshold):
    p = (3 * torch.randn(2, classes, 4, 5)).softmax(1)
    logits = torch.randn_like(p)
    found = shrink_classes(p, threshold)
    losses = shrunk_cross_entropy(logits, found)
    total = 0.0
    for b in range(2):
        for y in range(4):
            for x in range(5):
                k, certain, usable, loss = by_loop(
                    p[b, :, y, x].tolist(), logits[b, :, y, x].tolist(), threshold
                )
                assert found.certain[b, y, x].item() == certain
                assert found.usable[b, y, x].item() == usable
                if usable:
                    assert found.removed[b, y, x].item() == k
                    assert losses[b, y, x].item() == pytest.approx(loss, abs=1e-5)
                    total += loss * p[b, :, y, x].max().item()
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    assert shrink_loss(logits, found, valid).item() == pytest.approx(total / 40, abs=1e-5)


def test_reduction_and_first_principle():
    """One usable pixel of four, one not valid: its loss by 3, times .5 with the principle."""
    p = torch.tensor([0.5, 0.4, 0.06, 0.04]).view(1, 4, 1, 1).repeat(1, 1, 1, 4)
    p[..., 1] = p[..., 2] = torch.tensor([0.97, 0.01, 0.01, 0.01]).view(1, 4, 1)
    valid = torch.tensor([[[True, True, True, False]]])
    logits = torch.zeros(1, 4, 1, 4, requires_grad=True)
    found = shrink_classes(p, 0.8)
    plain = shrink_loss(logits, found, valid, by_score=False)
    assert plain.item() == pytest.approx(math.log(3) / 3)
    weighted = shrink_loss(logits, found, valid)
    assert weighted.item() == pytest.approx(0.5 * math.log(3) / 3)
    weighted.backward()
    # Softmax among the classes 0, 2, 3: the removed class 1 gets no gradient.
    assert logits.grad[0, :, 0, 0].tolist() == pytest.approx(
        [0.5 * (1 / 3 - 1) / 3, 0, 0.5 / 9, 0.5 / 9]
    )
    assert not logits.grad[..., 1:].any()


def test_nothing_valid_and_low_precision():
    p = torch.full((1, 4, 2, 2), 0.25)
    logits = torch.full((1, 4, 2, 2), -9.0, dtype=torch.bfloat16, requires_grad=True)
    nothing = torch.zeros(1, 2, 2, dtype=torch.bool)
    loss = shrink_loss(logits, shrink_classes(p, 0.9), nothing)
    assert loss.item() == 0 and loss.requires_grad
    assert not shrink_classes(torch.zeros(1, 4, 1, 1), 0.9).certain.any()  # padding of soft labels
