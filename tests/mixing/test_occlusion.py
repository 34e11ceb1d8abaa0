"""Holes in boxes."""

import torch

from ssdet.mixing.occlusion import hole_at, holes


def test_a_hole_around_a_point_is_cut_at_the_borders():
    assert hole_at((10, 20), (4, 6), (40, 40)) == (8, 17, 12, 23)
    assert hole_at((1, 39), (4, 4), (40, 40)) == (0, 37, 3, 40)


def test_each_box_has_a_hole_of_its_size_with_its_middle_inside():
    torch.manual_seed(0)
    boxes = torch.tensor([[10.0, 10, 30, 60], [40, 40, 50, 50], [5, 5, 5, 9]])
    for _ in range(20):
        first, second = holes(boxes, 1.0, (0.2, 0.3), (100, 100))
        for (x1, y1, x2, y2), (left, top, right, bottom) in ((first, boxes[0]), (second, boxes[1])):
            side = x2 - x1
            root = float((right - left) * (bottom - top)) ** 0.5
            assert side == y2 - y1 and 0.2 * root - 0.5 <= side <= 0.3 * root + 0.5
            assert left - 1 <= (x1 + x2) / 2 <= right + 1 and top - 1 <= (y1 + y2) / 2 <= bottom + 1


def test_the_probability_is_that_of_a_box():
    boxes = torch.tensor([[0.0, 0, 20, 20]]).expand(400, 4)
    count = len(holes(boxes, 0.25, (0.1, 0.3), (50, 50), torch.Generator().manual_seed(0)))
    assert 70 < count < 130
    assert holes(boxes, 0.0, (0.1, 0.3), (50, 50)) == []
