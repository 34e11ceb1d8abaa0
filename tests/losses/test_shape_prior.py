"""Losses with a shape prior, by hand."""

import math

import pytest
import torch

from ssdet.losses.shape_prior import plausibility, reconstruction_loss, weighted_consistency


def maps(*classes):
    """Class maps (1, C, 1, W)."""
    return torch.tensor(classes)[None, :, None]


def test_reconstruction_is_half_mse_and_half_dice():
    labels = torch.tensor([[[0, 1]]])
    # MSE: ((0.04 + 0.01) / 2 + (0.16 + 0.09) / 2) / 2. Dice: 2 (0.8 + 0.7) / (1.3 + 2 + 0.002).
    expected = (0.075 + 1 - 3.0 / 3.302) / 2
    found = reconstruction_loss(maps([0.8, 0.4], [0.1, 0.7]), labels)
    assert found.item() == pytest.approx(expected)
    # A pixel without a label changes nothing, and nothing else is zero with a graph.
    labels = torch.tensor([[[0, 1, 255]]])
    found = reconstruction_loss(maps([0.8, 0.4, 0.3], [0.1, 0.7, 0.3]), labels)
    assert found.item() == pytest.approx(expected)
    unknown = maps([0.5], [0.5]).requires_grad_()
    loss = reconstruction_loss(unknown, torch.tensor([[[255]]]))
    loss.backward()
    assert loss.item() == 0 and unknown.grad is not None


def test_plausibility_falls_with_the_square_of_the_difference():
    found = plausibility(torch.tensor([0.9, 0.4]), torch.tensor([0.4, 0.4]), gamma=2.0)
    assert found.tolist() == pytest.approx([math.exp(-0.5), 1.0])


def test_consistency_divides_by_twice_the_weights():
    student, teacher = (
        maps([0.6, 0.5, 1.0], [0.4, 0.5, 0.0]),
        maps([0.4, 0.5, 0.0], [0.8, 0.5, 1.0]),
    )
    weights = maps([1.0, 0.5, 1.0], [0.5, 1.0, 1.0])
    valid = torch.tensor([[[True, True, False]]])
    # (1 * 0.04 + 0.5 * 0.16) / (2 * 3)
    assert weighted_consistency(student, teacher, weights, valid).item() == pytest.approx(0.02)
    scaled = weighted_consistency(student, teacher, weights * 7, valid)
    assert scaled.item() == pytest.approx(0.02)


def test_consistency_of_nothing_is_zero():
    nothing = torch.zeros(1, 1, 1, dtype=torch.bool)
    one = maps([1.0], [0.0]).requires_grad_()
    loss = weighted_consistency(one, maps([0.0], [1.0]), torch.ones(1, 2, 1, 1), nothing)
    loss.backward()
    assert loss.item() == 0 and one.grad.abs().sum() == 0
