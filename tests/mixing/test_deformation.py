"""Deformations, by hand."""

import pytest
import torch

from ssdet.mixing.deformation import affine_grid, deform, elastic_offsets, flip_grid, identity_grid

PICTURE = torch.arange(12.0).view(1, 1, 3, 4)


def affine(angle=0.0, scale=1.0, shift=(0.0, 0.0), shape=(3, 4)):
    one = [torch.tensor([value]) for value in (float(angle), float(scale))]
    return affine_grid(*one, torch.tensor([shift]), shape)


def test_nothing_happens_under_the_identity():
    for grid in (identity_grid(1, (3, 4)), affine()):
        moved, inside = deform(PICTURE, grid)
        assert torch.allclose(moved, PICTURE, atol=1e-5) and inside.all()


def test_a_shift_goes_right_and_down():
    moved, inside = deform(PICTURE, affine(shift=(0.25, 1 / 3)))
    assert torch.allclose(moved[0, 0, 1:, 1:], PICTURE[0, 0, :2, :3], atol=1e-4)
    assert inside[0].tolist() == [[False] * 4, [False, True, True, True], [False, True, True, True]]
    assert moved[0, 0, 0].abs().max() < 1e-4


def test_a_quarter_turn_counter_clockwise():
    square = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    moved, inside = deform(square, affine(90, shape=(2, 2)))
    assert torch.allclose(moved[0, 0], torch.tensor([[2.0, 4.0], [1.0, 3.0]]), atol=1e-5)
    assert inside.all()


def test_a_turn_keeps_angles_in_a_picture_that_is_not_square():
    # A point 1 pixel right of the center of a 3x5 picture comes to lie 1 pixel above it.
    picture = torch.zeros(1, 1, 3, 5)
    picture[0, 0, 1, 3] = 1.0
    moved, _ = deform(picture, affine(90, shape=(3, 5)))
    expected = torch.zeros(3, 5)
    expected[0, 2] = 1.0
    assert torch.allclose(moved[0, 0], expected, atol=1e-5)


def test_enlarging_by_two_shows_the_middle():
    row = torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(1, 1, 4, 4)
    moved, inside = deform(row, affine(scale=2.0, shape=(4, 4)))
    # Centers at -3/4, -1/4, 1/4, 3/4 of the half width look at half of that.
    assert moved[0, 0, 0].tolist() == pytest.approx([0.75, 1.25, 1.75, 2.25], abs=1e-5)
    assert inside.all()


def test_flip():
    grid = flip_grid(identity_grid(2, (3, 4)), torch.tensor([True, False]))
    moved, inside = deform(PICTURE.expand(2, 1, 3, 4), grid)
    assert torch.allclose(moved[0], PICTURE[0].flip(-1), atol=1e-5)
    assert torch.allclose(moved[1], PICTURE[0], atol=1e-5) and inside.all()


def test_elastic_offsets_are_bounded_smooth_and_of_both_signs():
    generator = torch.Generator().manual_seed(0)
    offsets = elastic_offsets(4, (40, 60), 0.05, 5, generator=generator)
    assert offsets.shape == (4, 40, 60, 2)
    # A share of 0.05 of the side is 0.1 of the grid's units; bicubic overshoots a little.
    assert 0.08 < offsets.abs().max() < 0.15
    assert offsets.min() < -0.05 and offsets.max() > 0.05
    assert (offsets[:, 1:] - offsets[:, :-1]).abs().max() < 0.05
    # The control points themselves are uniform: the corner is one of them.
    assert offsets[:, 0, 0].abs().max() <= 0.1
    assert elastic_offsets(1, (8, 8), 0.0).abs().max() == 0


def test_a_gradient_goes_back_to_the_pixels_that_are_seen():
    maps = torch.zeros(1, 1, 3, 4, requires_grad=True)
    deform(maps, affine(shift=(0.25, 0.0)))[0].sum().backward()
    assert torch.allclose(maps.grad[0, 0, :, :3], torch.ones(3, 3), atol=1e-4)
    assert maps.grad[0, 0, :, 3].abs().max() < 1e-4
