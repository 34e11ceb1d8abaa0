"""Flips and quarter turns."""

import pytest
import torch

from ssdet.mixing import ORIENTATIONS, orient, orient_back, orientation_matrix

MAP = torch.tensor([[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        ("identity", [[0, 1, 2], [3, 4, 5]]),
        ("hflip", [[2, 1, 0], [5, 4, 3]]),
        ("vflip", [[3, 4, 5], [0, 1, 2]]),
        ("rot90", [[2, 5], [1, 4], [0, 3]]),
        ("rot180", [[5, 4, 3], [2, 1, 0]]),
        ("rot270", [[3, 0], [4, 1], [5, 2]]),
    ],
)
def test_by_hand(orientation, expected):
    assert orient(MAP, orientation).tolist() == expected


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_and_back(orientation):
    maps = torch.rand(2, 3, 4, 5)
    assert torch.equal(orient_back(orient(maps, orientation), orientation), maps)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_matrix_moves_pixel_centers_as_the_map_moves(orientation):
    marked = torch.zeros(2, 3)
    marked[0, 2] = 1  # its center is (2.5, 0.5)
    y, x = orient(marked, orientation).nonzero()[0].tolist()
    moved = orientation_matrix(orientation, 2, 3) @ [2.5, 0.5, 1]
    assert moved.tolist() == [x + 0.5, y + 0.5, 1]
