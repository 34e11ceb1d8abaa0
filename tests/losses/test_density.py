"""Densities of features, by hand."""

import math

import pytest
import torch

from ssdet.losses import ascent, density_loss, mixture_density


def gaussians(point, means):
    """Log densities (1, C) of a number under normal distributions of variance 1."""
    return torch.stack([-0.5 * (point - m) ** 2 - 0.5 * math.log(2 * math.pi) for m in means])[None]


def test_a_mixture_of_two():
    """Means 0 and 2, z = 0: the first has -.9189, half of it and of e^-2.9189 has -1.4852."""
    densities = gaussians(torch.tensor(0.0), (0.0, 2.0))
    assert densities[0, 0].item() == pytest.approx(-0.9189, abs=1e-4)
    assert mixture_density(densities).item() == pytest.approx(-1.4852, abs=1e-4)


def test_up_the_gradient_is_away_from_the_nearest_mean():
    """Means 0 and 4, z = 1: d(-log p)/dz = .9281."""
    z = torch.tensor(1.0, requires_grad=True)
    (-mixture_density(gaussians(z, (0.0, 4.0)))).sum().backward()
    assert z.grad.item() == pytest.approx(0.9281, abs=1e-4)


def test_known_pixels_belong_to_their_class_and_others_to_the_mixture():
    densities = torch.tensor([[-1.0, -5.0], [-1.0, -5.0], [-1.0, -5.0]])
    mixed = -math.log((math.exp(-1) + math.exp(-5)) / 2)
    found = density_loss(densities, torch.tensor([0, 1, -1])).item()
    assert found == pytest.approx((1 + 5 + mixed) / 3)


def test_a_step_has_a_length_and_no_direction_no_step():
    gradient = torch.tensor([[3.0, 0.0], [4.0, 0.0]]).view(1, 2, 1, 2)
    torch.testing.assert_close(
        ascent(gradient, 4.0), torch.tensor([[2.4, 0.0], [3.2, 0.0]]).view(1, 2, 1, 2)
    )
