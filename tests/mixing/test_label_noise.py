"""Label maps that are made wrong."""

import torch

from ssdet.mixing.label_noise import clipped_noise, swap_labels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_or_everything_changes_places():
    labels = torch.arange(2 * 4 * 6).view(2, 4, 6)
    assert torch.equal(swap_labels(labels, 0.0, generator=generator()), labels)
    swapped = swap_labels(labels, 1.0, generator=generator())
    assert (swapped != labels).float().mean() > 0.8
    for before, after in zip(labels, swapped, strict=True):  # never between maps
        assert torch.equal(after.flatten().sort().values, before.flatten())


def test_a_share_of_the_pixels_changes_places():
    labels = torch.arange(10000).view(1, 100, 100)
    changed = (swap_labels(labels, 0.2, generator=generator()) != labels).float().mean()
    assert 0.18 < changed < 0.22


def test_blocks_move_as_a_whole_and_what_does_not_fit_stays():
    labels = torch.arange(5 * 7).view(1, 5, 7)
    swapped = swap_labels(labels, 1.0, block=2, generator=generator())
    assert torch.equal(swapped[:, 4:], labels[:, 4:])
    assert torch.equal(swapped[..., 6:], labels[..., 6:])
    corners = set()
    for row in (0, 2):
        for column in (0, 2, 4):
            block = swapped[0, row : row + 2, column : column + 2]
            first = int(block[0, 0])
            assert block.tolist() == [[first, first + 1], [first + 7, first + 8]]
            corners.add(first)
    assert corners == {0, 2, 4, 14, 16, 18}


def test_noise_is_cut():
    found = clipped_noise(torch.full((10000,), 3.0), 0.1, 0.2, generator())
    assert found.min() >= 2.8 and found.max() <= 3.2 + 1e-6
    # The standard deviation of N(0, 0.1^2) cut at two of them is 0.0960.
    assert abs(found.std() - 0.0960) < 0.002
