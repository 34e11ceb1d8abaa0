"""Reliable ones among uncertain boxes, by hand."""

import pytest
import torch

from ssdet.thresholds import cost_limit, mined


@pytest.mark.parametrize(
    "overlaps, scores, reliable",
    [
        ((0.9, 0.72), (0.85, 0.78), True),  # means of .81 and .815
        ((0.9, 0.72), (0.85, 0.70), False),  # .775
        ((0.9, 0.60), (0.85, 0.85), False),  # .75
    ],
)
def test_both_means_have_to_reach_the_limits(overlaps, scores, reliable):
    owners = torch.tensor([1, 1])
    found = mined(owners, 3, torch.tensor(overlaps), torch.tensor(scores), iou=0.8, score=0.8)
    assert found.tolist() == [False, reliable, False]


def test_each_box_has_its_own_proposals():
    owners, ones = torch.tensor([0, 1, 0]), torch.ones(3)
    found = mined(owners, 2, torch.tensor([1.0, 0.5, 1.0]), ones, iou=0.8, score=0.8)
    assert found.tolist() == [True, False]


def test_nothing_to_mine():
    empty = torch.zeros(0)
    assert not mined(empty.long(), 2, empty, empty, iou=0.0, score=0.0).any()


def test_the_limit_is_the_likeliest_of_the_low_costs():
    costs = torch.tensor([0.10, 0.12, 0.14, 2.0, 2.1])
    limit = cost_limit(costs[torch.tensor([3, 0, 4, 1, 2])])
    assert limit.item() == pytest.approx(0.12)
    assert (costs <= limit).sum() == 2


@pytest.mark.parametrize("costs, limit", [((), 0.0), ((-2.5,), -2.5), ((1.5, 1.5), 1.5)])
def test_the_limit_of_few_costs(costs, limit):
    assert cost_limit(torch.tensor(costs)).item() == limit
