"""Weights from agreement and the Dice loss with them, by hand."""

import pytest
import torch

from ssdet.losses.agreement import agreement, noise_weighted_dice

LABELS = torch.tensor([[[0, 1, 255]]])


def maps(*classes):
    return torch.tensor(classes)[None, :, None]


def test_the_weight_is_the_probability_of_the_label():
    found = agreement(maps([0.9, 0.8, 0.3], [0.1, 0.2, 0.7]), LABELS)
    assert found.flatten().tolist() == pytest.approx([0.9, 0.2, 0.0])


def test_dice_with_weights():
    student = maps([0.6, 0.5, 0.9], [0.4, 0.5, 0.1])
    weights = torch.tensor([[[0.9, 0.2, 1.0]]])
    # Overlap 0.9 * 0.6 + 0.2 * 0.5; sums 0.9 * (1 + 1) + 0.2 * (1 + 1). 255 does not exist.
    expected = 1 - (2 * 0.64 + 0.001) / (2.2 + 0.001)
    found = noise_weighted_dice(student, LABELS, weights)
    assert found.item() == pytest.approx(expected, abs=1e-6)
    squares = 0.9 * (0.36 + 0.16 + 1) + 0.2 * (0.25 + 0.25 + 1)
    found = noise_weighted_dice(student, LABELS, weights, squared=True)
    assert found.item() == pytest.approx(1 - 1.28 / (squares + 0.002), abs=1e-6)


def test_dice_of_each_class():
    student = maps([0.6, 0.5, 0.9], [0.4, 0.5, 0.1])
    weights = torch.tensor([[[0.9, 0.2, 1.0]]])
    # Class 0: 0.9 * 0.6, 0.9 * 0.6 + 0.2 * 0.5 and 0.9; class 1: 0.2 * 0.5, ... and 0.2.
    first, second = 2 * 0.54 / (0.64 + 0.9), 2 * 0.1 / (0.46 + 0.2)
    found = noise_weighted_dice(student, LABELS, weights, per_class=True)
    assert found.item() == pytest.approx(1 - (first + second) / 2, abs=1e-4)
    first = 2 * 0.54 / (0.9 * 0.36 + 0.2 * 0.25 + 0.9)
    second = 2 * 0.1 / (0.9 * 0.16 + 0.2 * 0.25 + 0.2)
    found = noise_weighted_dice(student, LABELS, weights, squared=True, per_class=True)
    assert found.item() == pytest.approx(1 - (first + second) / 2, abs=1e-4)


def test_one_ratio_for_all_classes_is_a_mean_of_probabilities():
    """So that a class of few pixels counts as little as these do."""
    student = torch.rand(1, 3, 4, 4).softmax(1)
    labels, weights = torch.randint(3, (1, 4, 4)), torch.rand(1, 4, 4)
    likely = student.gather(1, labels[:, None])[:, 0]
    expected = 1 - (weights * likely).sum() / weights.sum()
    found = noise_weighted_dice(student, labels, weights)
    assert found.item() == pytest.approx(expected.item(), abs=1e-3)


def test_a_doubted_label_pulls_less():
    student = maps([0.5, 0.5], [0.5, 0.5]).requires_grad_()
    labels = torch.tensor([[[0, 0]]])
    noise_weighted_dice(student, labels, torch.tensor([[[1.0, 0.1]]])).backward()
    pull = -student.grad[0, 0, 0]
    assert pull[0] > 0 and pull[1].item() == pytest.approx(0.1 * pull[0].item(), rel=1e-4)


def test_nothing_to_learn():
    student = maps([0.5], [0.5]).requires_grad_()
    loss = noise_weighted_dice(student, torch.tensor([[[255]]]), torch.ones(1, 1, 1))
    loss.backward()
    assert loss.item() == 0 and student.grad.abs().sum() == 0
