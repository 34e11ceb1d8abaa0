"""Orders of agents, by hand."""

import math

import pytest
import torch

from ssdet.losses.ranks import farthest_agents, order_probabilities, rank_divergence


def test_the_orders_of_three_items():
    """.5 .3 .2: 012 is .5 * .3/.5 = .3, 102 is .3 * .5/.7 = .2143, and so on; they sum to 1."""
    found = order_probabilities(torch.tensor([0.5, 0.3, 0.2]))
    expected = [0.3, 0.2, 0.2143, 0.0857, 0.125, 0.075]  # 012 021 102 120 201 210
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)
    assert found.sum().item() == pytest.approx(1)


def test_only_the_shares_of_the_items_count():
    pair = order_probabilities(torch.tensor([[0.6, 0.3], [0.2, 0.1]]))
    torch.testing.assert_close(pair, torch.tensor([[2 / 3, 1 / 3], [2 / 3, 1 / 3]]))


def test_the_next_agent_is_the_most_orthogonal_one():
    pixels = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 5.0]])
    assert farthest_agents(pixels, 2, 0).tolist() == [0, 2]
    assert farthest_agents(pixels, 2, 1).tolist() == [1, 0]  # |cosines| .6 and .8
    # An opposite direction is as near as the same one.
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]])
    assert farthest_agents(opposite, 2, 0).tolist() == [0, 2]


def test_no_pixel_is_chosen_twice():
    assert farthest_agents(torch.ones(3, 2), 8, 1).tolist() == [1, 0, 2]


def test_the_largest_cosine_to_any_of_the_chosen_ones_counts():
    angles = torch.tensor([0.0, 90.0, 80.0, 45.0]).deg2rad()
    pixels = torch.stack([angles.cos(), angles.sin()], dim=1)
    # After 0 and 90 degrees: 80 is near the second one, 45 is less near to both.
    assert farthest_agents(pixels, 3, 0).tolist() == [0, 1, 3]


def test_the_divergence_of_two_agents():
    """P_w = (.6, .4), P_s = (.5, .5): (.6 ln 1.2 + .4 ln .8) / 2 = 0.010068."""
    weak = torch.tensor([[math.log(0.6), math.log(0.4)]])
    strong = torch.tensor([[0.0, 0.0]])
    # Pixel 0 is asked; pixels 1 and 2, the agents, are unit vectors, so that products are logits.
    units = torch.eye(2)
    found = rank_divergence(
        torch.cat([weak, units]), torch.cat([strong, units]), torch.tensor([1, 2]), 2
    )
    assert found[0].item() == pytest.approx(0.010068, abs=1e-6)
    assert found[1:].abs().max() < 1e-6  # the agents themselves are alike in both views


def test_the_gradient_reaches_the_strong_view():
    weak, strong = torch.randn(6, 4), torch.randn(6, 4, requires_grad=True)
    rank_divergence(weak, strong, torch.tensor([0, 3, 5, 1]), 3).sum().backward()
    assert strong.grad.abs().sum() > 0 and strong.grad.isfinite().all()
    same = rank_divergence(weak, weak, torch.tensor([0, 3, 5, 1]), 3)
    assert same.abs().max() < 1e-6


def test_large_products_do_not_overflow():
    weak, strong = torch.randn(6, 4) * 100, torch.randn(6, 4) * 100
    assert rank_divergence(weak, strong, torch.tensor([0, 3, 5, 1]), 3).isfinite().all()
