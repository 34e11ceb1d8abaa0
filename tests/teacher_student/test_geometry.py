"""Homographies: hand-computed boxes, and maps that agree with them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssdet.teacher_student.geometry import IDENTITY, between, clip_boxes, project_boxes, warp

from ..helpers import sample


def rotation(degrees, center=32.0):
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    shift = np.array([[1, 0, center], [0, 1, center], [0, 0, 1]])
    return shift @ turn @ np.linalg.inv(shift)


def test_quarter_turn_swaps_the_sides():
    box = torch.tensor([[10.0, 20.0, 30.0, 50.0]])
    assert torch.allclose(project_boxes(box, rotation(90)), torch.tensor([[14.0, 10, 44, 30]]))


def test_hull_of_a_rotated_square_grows_by_cos_plus_sin():
    hull = project_boxes(torch.tensor([[22.0, 22, 42, 42]]), rotation(30))
    side = 20 * (math.cos(math.radians(30)) + math.sin(math.radians(30)))
    assert hull[0, 2] - hull[0, 0] == pytest.approx(side, rel=1e-5)  # factor 1.366


def test_nothing_to_project():
    assert project_boxes(torch.zeros(0, 4), rotation(30)).shape == (0, 4)
    assert clip_boxes(torch.zeros(0, 4), (8, 8)).shape == (0, 4)


def test_clip_uses_the_height_and_the_width():
    boxes = clip_boxes(torch.tensor([[-5.0, -5, 50, 50]]), (20, 30))
    assert boxes.tolist() == [[0, 0, 30, 20]]


def test_between_goes_through_the_original_frame():
    half = np.diag([0.5, 0.5, 1.0])
    weak, strong = sample(homography=half), sample(homography=rotation(90))
    assert np.allclose(between(weak, strong), rotation(90) @ np.diag([2.0, 2.0, 1.0]), atol=1e-5)
    assert between(sample(), sample()) is IDENTITY


@settings(max_examples=30)
@given(angle=st.floats(-40, 40), scale=st.floats(0.5, 2), dx=st.floats(-8, 8))
def test_there_and_back(angle, scale, dx):
    matrix = rotation(angle) @ np.array([[scale, 0, dx], [0, scale, 0], [0, 0, 1]])
    points = torch.tensor([[3.0, 5, 3, 5], [60, 1, 60, 1]])  # points: no hull to lose
    back = project_boxes(project_boxes(points, matrix), np.linalg.inv(matrix))
    assert torch.allclose(back, points, atol=1e-3)


@pytest.mark.parametrize("axis", ["horizontal", "vertical", "diagonal"])
def test_flips_of_maps_and_boxes_agree(axis):
    size = torch.zeros(1, 16, 24, dtype=torch.long)
    size[0, 2:6, 3:10] = 7
    matrix = np.eye(3)
    if axis != "vertical":
        matrix[0] = [-1, 0, 24]
    if axis != "horizontal":
        matrix[1] = [0, -1, 16]
    warped, inside = warp(size, matrix, (16, 24))
    dims = {"horizontal": (2,), "vertical": (1,), "diagonal": (1, 2)}[axis]
    assert torch.equal(warped, size.flip(dims)) and inside.all()
    box = project_boxes(torch.tensor([[3.0, 2, 10, 6]]), matrix)[0].int().tolist()
    ys, xs = warped[0].nonzero().unbind(-1)
    assert box == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_shift_brings_in_what_was_not_seen():
    maps = torch.full((1, 8, 8), 5)
    matrix = np.array([[1, 0, 3], [0, 1, 0], [0, 0, 1]])
    warped, inside = warp(maps, matrix, (8, 8))
    assert not inside[:, :3].any() and inside[:, 3:].all()
    assert (warped[0, :, :3] == 0).all() and (warped[0, :, 3:] == 5).all()


def test_warp_of_a_large_box_mask_overlaps_its_projected_hull():
    mask = torch.zeros(1, 64, 64)
    mask[0, 10:40, 12:50] = 1
    matrix = np.diag([0.5, 0.5, 1.0])
    warped, _ = warp(mask, matrix, (32, 32))
    expected = torch.zeros(32, 32)
    expected[5:20, 6:25] = 1
    assert torch.equal(warped[0], expected)
