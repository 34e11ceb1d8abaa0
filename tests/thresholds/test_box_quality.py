"""How well boxes are placed, by hand."""

import pytest
import torch

from ssdet.thresholds.box_quality import (
    iou,
    jitter_boxes,
    merged_spread,
    relative_spread,
    stage_agreement,
)


def test_jitter_moves_each_side_by_its_share_of_the_box():
    torch.manual_seed(0)
    boxes = torch.tensor([[0.0, 0, 100, 20], [5.0, 5, 5.2, 5.2]])
    moved = jitter_boxes(boxes, 4000, 0.06)
    assert moved.shape == (4000, 2, 4)
    deviation = moved.std(0)
    # 0.06 of the width 100 and of the height 20; a box below a pixel counts as one pixel.
    assert deviation[0].tolist() == pytest.approx([6, 1.2, 6, 1.2], rel=0.05)
    assert torch.allclose(moved.mean(0)[0], boxes[0], atol=0.4)
    assert (moved[..., 2:] >= moved[..., :2]).all()  # 0.06 of a pixel would turn 0.2 around


def test_jitter_of_nothing():
    assert jitter_boxes(torch.zeros(0, 4), 3, 0.06).shape == (3, 0, 4)
    assert relative_spread(torch.zeros(3, 0, 4)).shape == (0,)


def test_spread_is_measured_in_sides_of_the_mean_box():
    first = torch.tensor([[0.0, 0, 10, 20]])
    second = torch.tensor([[2.0, 4, 10, 20]])
    # Mean box (1, 2, 10, 20): 9 wide, 18 high. Deviations (T - 1 = 1): sqrt(2), 2 sqrt(2), 0, 0.
    expected = (2**0.5 / 9 + 2 * 2**0.5 / 18) / 4
    assert relative_spread(torch.stack([first, second])).tolist() == pytest.approx([expected])


def test_spread_of_answers_that_agree_is_zero_and_a_tiny_box_counts_as_a_pixel():
    same = torch.tensor([[[3.0, 3, 3.5, 3.5]]] * 4)
    assert relative_spread(same).tolist() == [0]
    moved = torch.tensor([[[3.0, 3, 3.5, 3.5]], [[4.0, 3, 4.5, 3.5]]])
    assert relative_spread(moved).tolist() == pytest.approx([2 * 0.5**0.5 / 4])


def test_spread_of_what_nms_merged():
    boxes = torch.tensor([[0.0, 0, 10, 10], [50.0, 50, 60, 60]])
    raw = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 12, 10], [0.0, 0, 10, 10], [50.0, 50, 60, 60]])
    scores = torch.tensor([0.9, 0.3, 0.8, 0.7])
    same = torch.tensor([[True, True, False, False], [False, False, False, True]])
    spread = merged_spread(boxes, raw, scores, same, 0.6)
    # The third is of another class. x2: mean (0.9 * 10 + 0.3 * 12) / 1.2 = 10.5,
    # variance (0.9 * 0.25 + 0.3 * 2.25) / 1.2 = 0.75; the mean box is 10.5 wide.
    assert spread[0] == pytest.approx(0.75**0.5 / 10.5 / 4)
    assert spread[1] == float("inf")  # nobody else says so
    # An overlap of 10 / 12 is not merged at 0.9.
    assert merged_spread(boxes, raw, scores, same, 0.9).tolist() == [float("inf")] * 2


def test_spread_without_boxes_or_candidates():
    none = torch.zeros(0, 4)
    assert merged_spread(none, none, torch.zeros(0), torch.zeros(0, 0, dtype=bool), 0.5).shape == (
        0,
    )
    one = merged_spread(
        torch.ones(1, 4), none, torch.zeros(0), torch.zeros(1, 0, dtype=torch.bool), 0.5
    )
    assert one.tolist() == [float("inf")]


def test_agreement_of_identical_boxes_is_one():
    boxes = torch.tensor([[0.0, 0, 10, 10], [5.0, 5, 9, 30]])
    assert stage_agreement(torch.stack([boxes] * 3)).tolist() == [1, 1]


def test_agreement_is_the_mean_over_successive_stages():
    stages = torch.tensor([[[0.0, 0, 10, 10]], [[0.0, 0, 10, 5]], [[20.0, 0, 30, 5]]])
    assert stage_agreement(stages).tolist() == pytest.approx([(0.5 + 0.0) / 2])
    assert stage_agreement(torch.zeros(3, 0, 4)).shape == (0,)


def test_iou():
    boxes = torch.tensor([[0.0, 0, 10, 10]])
    others = torch.tensor([[0.0, 0, 10, 10], [5.0, 0, 15, 10], [10.0, 0, 20, 10]])
    assert iou(boxes, others)[0].tolist() == pytest.approx([1, 1 / 3, 0])
