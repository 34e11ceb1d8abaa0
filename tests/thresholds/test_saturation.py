"""How right a teacher is where it is sure, by hand."""

import math

import pytest
import torch

from ssdet.thresholds.saturation import confidence_floor, precision_range, saturation

SCORES = torch.tensor([0.97, 0.96, 0.99, 0.90, 0.98, 0.80])
RIGHT = torch.tensor([1, 0, 1, 1, 1, 0]).bool()


def test_four_of_six_reach_the_score_and_three_of_these_are_right():
    assert saturation(SCORES, RIGHT, 0.95) == (pytest.approx(4 / 6), pytest.approx(3 / 4))
    share, precision = saturation(SCORES, RIGHT, 0.995)
    assert share == 0 and math.isnan(precision)
    assert saturation(SCORES[:0], RIGHT[:0], 0.5)[0] == 0


def test_images_are_drawn_and_not_labels():
    """An image that is wrong everywhere weighs as one draw, however many labels it has."""
    scores, right = torch.full((1000,), 0.99), torch.arange(1000) < 500
    apart = precision_range(scores, right, torch.arange(1000), 0.95)
    together = precision_range(scores, right, torch.arange(1000) // 500, 0.95)
    assert 0.45 < apart[0] < 0.5 < apart[1] < 0.55
    assert together == (0, 1)
    assert all(map(math.isnan, precision_range(scores, right, torch.arange(1000), 1.0)))
    assert precision_range(scores, right | True, torch.arange(1000), 0.95) == (1, 1)


def test_images_without_a_sure_label_are_no_division_by_zero():
    found = precision_range(SCORES, RIGHT, torch.tensor([0, 0, 0, 1, 0, 2]), 0.95)
    assert found == (pytest.approx(0.75), pytest.approx(0.75))


def test_the_floor():
    """.99 * .6 + .01 * .9 = .603, times .95; a class mean of .9 alone gives .3299."""
    assert confidence_floor(0.603, 0.95, (0.3, 0.95)) == pytest.approx(0.5729, abs=1e-4)
    assert confidence_floor(0.1, 0.95, (0.2, 0.95), 0.9) == pytest.approx(0.3299, abs=1e-4)
    assert confidence_floor(0.1, 0.95, (0.2, 0.95)) == pytest.approx(0.3)
    assert confidence_floor(1.0, 1.0, (0.3, 0.95)) == 0.95
