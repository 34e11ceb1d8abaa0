"""Masks of pseudo objects on their way from the weak into the strong view, drawn by hand."""

import numpy as np
import pytest
import torch

from ssdet.teacher_student.step import LOW, Step, Views

from ..helpers import build_pair, pseudo, sample

WIDTH, HEIGHT = 8, 6
#  An L: its upright on the left, its foot to the right.
L = [
    "........",
    ".#......",
    ".#......",
    ".###....",
    "........",
    "........",
]


def drawn(rows):
    return torch.tensor([[sign == "#" for sign in row] for row in rows])


@pytest.fixture(scope="module")
def model():
    return build_pair()


def moved(model, homography, shape=(HEIGHT, WIDTH), masks=(L,), boxes=([1, 1, 4, 4],), **meta):
    """The objects after the transfer; the weak view is the original frame."""
    found = pseudo(list(boxes), [0.9] * len(boxes))
    found.masks = torch.stack([drawn(mask) for mask in masks])
    for key, value in meta.items():
        found[key] = torch.tensor(value)
    weak = Views(torch.zeros(1, 3, HEIGHT, WIDTH), [sample((HEIGHT, WIDTH))])
    strong = Views(torch.zeros(1, 3, *shape), [sample(shape, homography=homography)])
    step = Step(model, 0, weak=weak, strong={"unsup_student": strong}, pseudo=[found])
    return model.transfer(step)["unsup_student"][0]


def shown(target):
    return ["".join(".#"[pixel] for pixel in row) for row in target.gt_instances.masks.masks[0]]


def test_the_same_frame(model):
    assert shown(moved(model, np.eye(3))) == L


def test_flip(model):
    target = moved(model, [[-1, 0, WIDTH], [0, 1, 0], [0, 0, 1]])
    assert shown(target) == [
        "........",
        "......#.",
        "......#.",
        "....###.",
        "........",
        "........",
    ]
    assert target.gt_instances.bboxes.tolist() == [[4, 1, 7, 4]]


def test_scaled_by_two_and_shifted_into_a_larger_view(model):
    target = moved(model, [[2, 0, 1], [0, 2, -2], [0, 0, 1]], shape=(8, 12))
    assert shown(target) == [
        "...##.......",
        "...##.......",
        "...##.......",
        "...##.......",
        "...######...",
        "...######...",
        "............",
        "............",
    ]
    assert target.gt_instances.bboxes.tolist() == [[3, 0, 9, 6]]
    masks = target.gt_instances.masks
    assert (masks.height, masks.width) == (8, 12) and masks.masks.dtype == np.uint8


def test_a_quarter_turn(model):
    # (x, y) -> (6 - y, x): what was on the left is on top, the foot points down.
    target = moved(model, [[0, -1, HEIGHT], [1, 0, 0], [0, 0, 1]], shape=(WIDTH, HEIGHT))
    assert shown(target) == [
        "......",
        "..###.",
        "..#...",
        "..#...",
        "......",
        "......",
        "......",
        "......",
    ]
    assert target.gt_instances.bboxes.tolist() == [[2, 1, 5, 4]]


def test_what_leaves_the_view_is_cut(model):
    target = moved(model, [[1, 0, -2], [0, 1, 0], [0, 0, 1]])
    assert shown(target)[3] == "##......" and target.gt_instances.masks.masks.sum() == 2
    assert target.gt_instances.bboxes.tolist() == [[0, 1, 2, 4]]


def test_an_object_whose_mask_is_not_in_view_is_gone(model):
    upright = [row.replace("###", "#..") for row in L]  # in the left third of its box
    target = moved(
        model, [[1, 0, -2], [0, 1, 0], [0, 0, 1]], masks=(upright, L), boxes=([1, 1, 4, 4],) * 2
    )
    assert len(target.gt_instances) == len(target.gt_instances.masks.masks) == 1
    assert target.gt_instances.masks.masks.sum() == 2


def test_unsure_objects_are_regions_and_masks_belong_to_the_others(model):
    other = [row[::-1] for row in L]
    target = moved(
        model, np.eye(3), masks=(L, other), boxes=([1, 1, 4, 4], [4, 1, 7, 4]), level=[LOW, 2]
    )
    assert target.ignored_instances.bboxes.tolist() == [[1, 1, 4, 4]]
    assert shown(target) == other and len(target.gt_instances) == 1


def test_nothing_found(model):
    found = pseudo([], [])
    found.masks = torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool)
    weak = Views(torch.zeros(1, 3, HEIGHT, WIDTH), [sample((HEIGHT, WIDTH))])
    flipped = [[-1, 0, WIDTH], [0, 1, 0], [0, 0, 1]]
    strong = Views(torch.zeros(1, 3, 8, 8), [sample((8, 8), homography=flipped)])
    step = Step(model, 0, weak=weak, strong={"unsup_student": strong}, pseudo=[found])
    target = model.transfer(step)["unsup_student"][0]
    assert len(target.gt_instances) == 0 and target.gt_instances.masks.masks.shape == (0, 8, 8)
