"""Patch shuffle by hand, and through convolutions that do not look across cells."""

import pytest
import torch
from torch import nn

from ssdet.mixing.patch_shuffle import sample_permutations, shuffle_patches, unshuffle_patches

QUADRANTS = torch.tensor([[0.0, 1], [2, 3]])[None, None]
ORDER = torch.tensor([[2, 0, 3, 1]])


def test_cells_go_where_the_permutation_says():
    assert shuffle_patches(QUADRANTS, ORDER)[0, 0].tolist() == [[1, 3], [0, 2]]
    assert unshuffle_patches(shuffle_patches(QUADRANTS, ORDER), ORDER).equal(QUADRANTS)


def test_content_of_a_cell_stays_as_it_is():
    image = torch.arange(24.0).view(1, 1, 4, 6)
    moved = shuffle_patches(image, ORDER)
    assert moved[0, 0].tolist() == [
        [3, 4, 5, 15, 16, 17],
        [9, 10, 11, 21, 22, 23],
        [0, 1, 2, 12, 13, 14],
        [6, 7, 8, 18, 19, 20],
    ]


def test_each_image_has_its_own_permutation_and_any_grid():
    maps, grid = torch.randn(3, 2, 6, 8), (3, 2)
    orders = sample_permutations(3, grid)
    assert not orders[0].equal(orders[1]) or not orders[1].equal(orders[2])
    both = shuffle_patches(maps, orders, grid)
    assert unshuffle_patches(both, orders, grid).equal(maps)
    assert both[1:2].equal(shuffle_patches(maps[1:2], orders[1:2], grid))


@pytest.mark.parametrize("kernel", [1, 2])
def test_what_does_not_look_across_cells_does_not_notice(kernel):
    conv = nn.Conv2d(3, 4, kernel, stride=kernel)
    images = torch.randn(2, 3, 16, 16)
    orders = sample_permutations(2)
    features = unshuffle_patches(conv(shuffle_patches(images, orders)), orders)
    assert torch.allclose(features, conv(images), rtol=0, atol=1e-6)
    blurred = nn.Conv2d(3, 4, 3, padding=1)
    orders = ORDER.expand(2, 4)
    other = unshuffle_patches(blurred(shuffle_patches(images, orders)), orders)
    same = torch.isclose(other, blurred(images), rtol=0, atol=1e-6).all(1).all(0)
    inner = torch.zeros(16, 16, dtype=torch.bool)
    inner[1:7, 1:7] = inner[1:7, 9:15] = inner[9:15, 1:7] = inner[9:15, 9:15] = True
    assert same[inner].all() and not same[7:9].any() and not same[:, 7:9].any()


def test_permutations_are_uniform_and_prob_is_the_share():
    generator = torch.Generator().manual_seed(0)
    orders = sample_permutations(2400, generator=generator)
    counts = orders.unique(dim=0, return_counts=True)[1]
    assert len(counts) == 24 and counts.min() > 60 and counts.max() < 145  # 100 +- 4 sigma
    few = sample_permutations(1000, prob=0.25, generator=generator)
    kept = (few == torch.arange(4)).all(1).float().mean()
    assert 0.72 < kept < 0.84  # 0.75, and 1 in 24 of the others
    assert (sample_permutations(5, prob=0.0) == torch.arange(4)).all()
    assert sample_permutations(0).shape == (0, 4)


def test_a_grid_must_divide():
    with pytest.raises(ValueError, match="a grid of 2x2 cells does not divide maps of 5x4"):
        shuffle_patches(torch.zeros(1, 1, 5, 4), ORDER)
