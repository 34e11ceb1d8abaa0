"""Patches, and the share of a box that they erase."""

import pytest
import torch

from ssdet.mixing.erase import erased_share, sample_patches


def mask_of(*patches, size=(20, 20)):
    mask = torch.zeros(size, dtype=torch.bool)
    for x1, y1, x2, y2 in patches:
        mask[y1:y2, x1:x2] = True
    return mask


def share(box, *patches):
    return float(erased_share(torch.tensor([box], dtype=torch.float32), mask_of(*patches))[0])


def test_shares_by_hand():
    assert share((0, 0, 10, 10), (0, 0, 10, 7)) == pytest.approx(0.7)
    assert share((0, 0, 10, 10), (5, 5, 15, 15)) == pytest.approx(0.25)
    assert share((0, 0, 10, 10), (10, 10, 20, 20)) == 0
    assert share((2, 2, 4, 4), (0, 0, 20, 20)) == 1


def test_overlapping_patches_count_once():
    # Two patches of 60, 40 of them shared: 80 of 100, where their sum would be 120.
    assert share((0, 0, 10, 10), (0, 0, 10, 6), (0, 2, 10, 8)) == pytest.approx(0.8)


def test_fractions_of_pixels():
    # [2.5, 4.5] x [0, 2], of which x >= 4 is erased: 0.5 * 2 of 4
    assert share((2.5, 0, 4.5, 2), (4, 0, 20, 20)) == pytest.approx(0.25)
    assert share((3.25, 3.5, 3.75, 3.75), (3, 3, 4, 4)) == pytest.approx(1.0)


def test_equals_counting_on_a_finer_grid():
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(20, 20, generator=generator) < 0.4
    fine = mask.repeat_interleave(8, 0).repeat_interleave(8, 1)
    corners = torch.randint(0, 160, (30, 2, 2), generator=generator).sort(1).values
    corners[:, 1] += 1
    boxes = corners.flatten(1).clamp(max=160)
    expected = [fine[y1:y2, x1:x2].float().mean() for x1, y1, x2, y2 in boxes.tolist()]
    torch.testing.assert_close(erased_share(boxes / 8.0, mask), torch.stack(expected))


def test_outside_of_the_image_nothing_is_erased_and_flat_boxes_are_not_hidden():
    assert share((10, 0, 30, 20), (0, 0, 20, 20)) == pytest.approx(0.5)
    assert share((5, 5, 5, 9), (0, 0, 20, 20)) == 0
    assert erased_share(torch.zeros(0, 4), mask_of()).shape == (0,)


def test_patches_lie_inside_and_have_the_shape_of_the_image():
    generator = torch.Generator().manual_seed(0)
    numbers = set()
    for _ in range(200):
        patches = sample_patches((50, 100), (1, 3), (0.1, 0.5), generator)
        numbers.add(len(patches))
        for x1, y1, x2, y2 in patches:
            assert 0 <= x1 < x2 <= 100
            assert 0 <= y1 < y2 <= 50
            assert 5 <= y2 - y1 <= 25
            assert 0 <= (x2 - x1) - 2 * (y2 - y1) <= 1
    assert numbers == {1, 2, 3}


def test_a_patch_as_large_as_the_image():
    assert sample_patches((8, 6), (2, 2), (1.0, 1.0)) == [(0, 0, 6, 8)] * 2
    assert sample_patches((8, 6), (0, 0)) == []
