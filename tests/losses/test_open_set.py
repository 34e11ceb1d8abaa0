"""IOMatch's numbers, by hand."""

import math

import pytest
import torch

from ssdet.losses.open_set import multi_binary, open_probabilities


def test_an_inlier_by_hand():
    found = open_probabilities(torch.tensor([[0.9, 0.1]]), torch.tensor([[0.8, 0.3]]))
    assert found[0].tolist() == pytest.approx([0.72, 0.03, 0.25])


def test_the_hardest_other_class_counts():
    """-ln .5 for the own class 1, and -ln(1 - .9) for class 0; class 2 is easier."""
    loss = multi_binary(torch.tensor([[0.9, 0.5, 0.2]]), torch.tensor([1]))
    assert loss.item() == pytest.approx(-math.log(0.5) - math.log(0.1), rel=1e-5)
    single = multi_binary(torch.tensor([[0.5]]), torch.tensor([0]))
    assert single.item() == pytest.approx(-math.log(0.5))


def test_nothing_costs_nothing():
    positive = torch.zeros(0, 3, requires_grad=True)
    loss = multi_binary(positive, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
