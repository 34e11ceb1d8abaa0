"""Distances to remembered features, by hand."""

import pytest
import torch

from ssdet.losses import class_distances

ONES = torch.ones(2, 2)


def test_the_mean_over_pixels_and_what_is_remembered():
    """Class 0: cosines 1 and 0 to two remembered ones, mean distance .5; class 1: .2; by 2."""
    features = torch.tensor([[2.0, 0.0], [0.8, 0.6]])
    memory = [torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.tensor([[5.0, 0.0]])]
    found = class_distances(features, torch.tensor([0, 1]), memory, ONES)
    assert found.item() == pytest.approx((0.5 + 0.2) / 2)


def test_weights_compare_the_pixels_of_a_class():
    """Selected .8 and .2: 1.6 and .4. Equal distances stay; else the first one counts more."""
    weights = torch.tensor([[0.8], [0.2]])
    memory, labels = [torch.tensor([[1.0, 0.0]])], torch.tensor([0, 0])
    alike = torch.tensor([[0.6, 0.8], [0.6, -0.8]])
    assert class_distances(alike, labels, memory, weights).item() == pytest.approx(0.4)
    near_and_far = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = class_distances(near_and_far, labels, memory, weights)
    assert found.item() == pytest.approx((1.6 * 0 + 0.4 * 1) / 2)


def test_a_class_that_nobody_remembers_or_shows_adds_nothing():
    features = torch.randn(2, 3, requires_grad=True)
    memory = [torch.zeros(0, 3), torch.randn(4, 3)]
    found = class_distances(features, torch.tensor([0, 0]), memory, ONES)
    found.backward()
    assert found == 0 and not features.grad.any()
    assert class_distances(features, torch.tensor([0, 0]), [], ONES) == 0
