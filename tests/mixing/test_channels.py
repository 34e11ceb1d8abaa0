"""Dropout of channels, and its complement."""

import pytest
import torch

from ssdet.mixing.channels import (
    channel_mask,
    complementary_masks,
    nested_mask,
    scale_channels,
)


def test_channel_mask_keeps_the_mean():
    mask = channel_mask(200, 50, 0.5)
    assert sorted(mask.unique().tolist()) == [0, 2]
    assert mask.mean() == pytest.approx(1, abs=0.05)
    assert not torch.equal(mask[0], mask[1]), "each image has its own"
    quarter = channel_mask(200, 50, 0.25)
    assert quarter.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (quarter == 0).float().mean() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("prob", "value"), [(0.0, 1.0), (1.0, 0.0)])
def test_channel_mask_at_its_ends(prob, value):
    assert (channel_mask(3, 4, prob) == value).all()


def test_complementary_masks_add_up_to_two():
    intact = torch.tensor([True, False, False, True])
    first, second = complementary_masks(intact, 64)
    assert torch.equal(first + second, torch.full((4, 64), 2.0))
    assert (first[intact] == 1).all() and (second[intact] == 1).all()
    assert sorted(first[~intact].unique().tolist()) == [0, 2]
    assert (first[~intact] * second[~intact] == 0).all(), "disjoint"
    assert not torch.equal(first[1], first[2])


def test_the_mean_of_both_views_is_the_feature():
    feature = torch.randn(2, 8, 3, 5)
    masks = complementary_masks(torch.tensor([False, True]), 8)
    first, second = (scale_channels(feature, mask) for mask in masks)
    assert torch.allclose((first + second) / 2, feature)
    assert torch.equal(first[1], feature[1])


def test_scaling_maps_and_vectors():
    mask = torch.tensor([[0.0, 2.0]])
    assert scale_channels(torch.ones(1, 2), mask).tolist() == [[0, 2]]
    assert scale_channels(torch.ones(1, 2, 2, 1), mask)[0, :, :, 0].tolist() == [[0, 0], [2, 2]]


def test_nested_masks_keep_a_prefix():
    mask = nested_mask(400, 20, 1.0)
    kept = mask.sum(1).long()
    assert (mask == (torch.arange(20) < kept[:, None])).all()
    assert kept.min() == 1 and kept.max() == 20
    # |n| > 1 - 1/20 has a probability of 34 %: nothing is lost.
    assert (kept == 20).float().mean().item() == pytest.approx(0.34, abs=0.07)
    assert (nested_mask(50, 20, 0.0).sum(1) == 1).all()
