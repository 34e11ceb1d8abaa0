"""Correlation of pixels, and what spreads along it, by hand."""

import pytest
import torch

from ssdet.losses import correlation, propagate, regions, spread

UNIT = torch.eye(2).view(1, 2, 1, 2)  # two pixels of two channels, (1, 0) and (0, 1)
SKEWED = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).view(1, 2, 1, 2)


def test_two_pixels_that_are_like_themselves():
    """exp(1/sqrt 2) / (exp(1/sqrt 2) + 1) = .6698; z = diag(2, 1)."""
    weights = correlation(UNIT, UNIT)
    expected = torch.tensor([[[0.6698, 0.3302], [0.3302, 0.6698]]])
    assert torch.allclose(weights, expected, atol=1e-4)
    logits = torch.diag(torch.tensor([2.0, 1.0])).view(1, 2, 1, 2)
    arrived = spread(logits, weights).view(2, 2)
    assert torch.allclose(arrived, torch.tensor([[1.3395, 0.6605], [0.3302, 0.6698]]), atol=1e-4)


def test_a_popular_pixel_gets_more_than_one():
    """As published, what a pixel gives sums to 1, not what it gets (1.3044 and .6956)."""
    weights = correlation(UNIT, SKEWED)
    expected = torch.tensor([[[0.8044, 0.1956], [0.5, 0.5]]])
    assert torch.allclose(weights, expected, atol=1e-4)
    assert weights.sum(1).flatten().tolist() == pytest.approx([1.3044, 0.6956], abs=1e-4)
    logits = torch.diag(torch.tensor([2.0, 1.0])).view(1, 2, 1, 2)
    arrived = spread(logits, weights).view(2, 2)
    assert torch.allclose(arrived, torch.tensor([[1.6089, 0.3911], [0.5, 0.5]]), atol=1e-4)
    received = correlation(UNIT, SKEWED, "target").sum(1)
    assert received.flatten().tolist() == pytest.approx([1, 1])


def test_half_precision_is_correlated_in_float32():
    assert correlation(UNIT.bfloat16(), UNIT.bfloat16()).dtype == torch.float32


def test_a_region_is_what_lies_above_half_of_its_contrast():
    """(.1, .2, .4, .3) -> (0, 1/3, 1, 2/3); without contrast there is no region."""
    maps = torch.tensor([[0.1, 0.2, 0.4, 0.3], [0.25] * 4]).view(1, 2, 1, 4)
    found = regions(maps, (1, 4))
    assert found[0, 0, 0].tolist() == [False, False, True, True]
    assert not found[0, 1].any()


def row(*values):
    return torch.tensor([[values]])


def taken(labels, scores, *found, threshold=0.75):
    kept = row(*scores) >= threshold
    maps = torch.stack([torch.tensor(one, dtype=torch.bool).view(1, -1) for one in found])[None]
    after, changed = propagate(row(*labels), kept, maps, threshold, 3)
    return after.flatten().tolist(), changed.flatten().tolist()


def test_a_region_of_one_mind_takes_its_label():
    """3 of 4 are kept (.75 reaches .75). 1 1 2: two thirds are too few. 1 1 1: all take the 1."""
    scores, whole = (0.99, 0.9, 0.88, 0.5), (1, 1, 1, 1)
    assert taken((1, 1, 2, 2), scores, whole) == ([1, 1, 2, 2], [False] * 4)
    assert taken((1, 1, 1, 2), scores, whole) == ([1, 1, 1, 1], [True] * 4)


def test_too_few_kept_pixels_or_a_share_of_just_the_threshold():
    assert taken((1, 1, 1, 2), (0.99, 0.9, 0.5, 0.5), (1, 1, 1, 1))[1] == [False] * 4
    # 3 of 4 have the label: the share has to be above .75.
    assert taken((1, 1, 1, 2), (0.9,) * 4, (1, 1, 1, 1))[1] == [False] * 4
    assert taken((1, 1, 1, 2), (0.0,) * 4, (1, 1, 1, 1))[1] == [False] * 4


def test_of_two_regions_the_later_one_wins_where_they_overlap():
    labels, changed = taken(
        (1, 1, 1, 2, 2, 2),
        (0.9, 0.9, 0.9, 0.5, 0.9, 0.9),
        (1, 1, 1, 1, 0, 0),
        (0, 0, 0, 1, 1, 1),
        threshold=0.6,
    )
    assert labels == [1, 1, 1, 2, 2, 2] and changed == [True] * 6
    labels, _ = taken(
        (1, 1, 1, 2, 2, 2),
        (0.9, 0.9, 0.9, 0.5, 0.9, 0.9),
        (0, 0, 0, 1, 1, 1),
        (1, 1, 1, 1, 0, 0),
        threshold=0.6,
    )
    assert labels == [1, 1, 1, 1, 2, 2]


def test_an_empty_region_and_pixels_without_a_label():
    assert taken((1, 255, 255), (0.9, 0.9, 0.0), (0, 0, 0), (0, 1, 1))[0] == [1, 255, 255]


def test_each_image_has_regions_of_its_own():
    labels = torch.tensor([[[1, 0]], [[0, 2]]])
    kept = torch.tensor([[[True, False]], [[False, True]]])
    maps = torch.tensor([[[[True, True]]], [[[False, False]]]])
    after, changed = propagate(labels, kept, maps, 0.4, 3)
    assert after.tolist() == [[[1, 1]], [[0, 2]]]
    assert changed.tolist() == [[[True, True]], [[False, False]]]
