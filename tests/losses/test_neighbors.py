"""The energy of neighboring pixels, by hand."""

import math

import pytest
import torch

from ssdet.losses.neighbors import neighbor_energy

FAR = dict(radius=1, distance=1e6, color=10.0)  # the distance does not count


def row(*first, colors=None, valid=None):
    """One row of pixels with the probabilities of the first of two classes."""
    one = torch.tensor([[first]])
    images = torch.tensor(colors or [0.0] * len(first)).view(1, 1, 1, -1)
    shown = torch.tensor([[valid or [True] * len(first)]])
    return torch.stack([one[0], 1 - one[0]], 1), images, shown


def test_it_is_the_probability_of_two_classes():
    found = neighbor_energy(*row(0.9, 0.8), **FAR)
    assert found.item() == pytest.approx(1 - (0.9 * 0.8 + 0.1 * 0.2))


def test_an_edge_parts_pixels():
    """The second pair weighs exp(-20^2 / (2 10^2)) = exp(-2) of the first."""
    found = neighbor_energy(*row(1.0, 1.0, 0.0, colors=[0.0, 0.0, 20.0]), **FAR)
    assert found.item() == pytest.approx(math.exp(-2) / (1 + math.exp(-2)))


def test_channels_are_averaged():
    maps, images, valid = row(1.0, 1.0, 0.0, colors=[0.0, 0.0, 20.0])
    other = neighbor_energy(maps, images.expand(-1, 3, -1, -1), valid, **FAR)
    assert other == neighbor_energy(maps, images, valid, **FAR)


def test_distance_counts_and_the_radius_ends_it():
    """Pairs one pixel apart: 0 and 1; the pair two apart, of two classes, weighs exp(-2)."""
    settings = dict(distance=1.0, color=10.0)
    given = row(1.0, 1.0, 0.0)
    near, far = math.exp(-0.5), math.exp(-2)
    assert neighbor_energy(*given, radius=1, **settings).item() == pytest.approx(0.5)
    found = neighbor_energy(*given, radius=2, **settings).item()
    assert found == pytest.approx((near + far) / (2 * near + far))


def test_all_eight_neighbors_are_seen_once():
    """In 2 x 2 pixels, six pairs; one pixel differs from three others."""
    maps = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]])
    valid = torch.ones(1, 2, 2, dtype=torch.bool)
    for turned in (maps, maps.flip(-1), maps.flip(-2)):
        found = neighbor_energy(turned, torch.zeros(1, 3, 2, 2), valid, **FAR)
        assert found.item() == pytest.approx(0.5)


def test_padding_is_no_neighbor():
    given = row(1.0, 1.0, 0.0, valid=[True, True, False])
    assert neighbor_energy(*given, **FAR) == 0
    assert neighbor_energy(*row(1.0, 0.0, valid=[True, False]), **FAR) == 0


def test_a_window_larger_than_the_map():
    maps, images, valid = row(1.0, 0.0)
    assert neighbor_energy(maps, images, valid, radius=9, distance=1e6, color=1.0).item() == 1.0
