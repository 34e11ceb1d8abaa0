"""Fusion by certainty, by hand."""

import math

import pytest
import torch

from ssdet.thresholds import fuse, uncertainty_of, variance_of


def maps(*distributions):
    """(N, 1, C, 1, 1)"""
    return torch.tensor(distributions)[:, None, :, None, None]


def test_uncertainty():
    found = uncertainty_of(maps([0.5, 0.5], [1.0, 0.0], [0.9, 0.1])).flatten()
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    assert found.tolist() == pytest.approx([1, 0, entropy], abs=1e-5)
    margin = uncertainty_of(maps([0.5, 0.3, 0.2], [1.0, 0.0, 0.0]), "margin").flatten()
    assert margin.tolist() == pytest.approx([0.8, 0])


def test_variance_of_passes():
    passes = maps([0.5, 0.5], [0.7, 0.3], [0.9, 0.1])
    # Each class: ((.2)^2 + 0 + (.2)^2) / 3
    assert variance_of(passes).item() == pytest.approx(2 * 0.08 / 3)
    assert variance_of(passes[:1]).item() == 0


PREDICTIONS = maps([0.9, 0.1], [0.4, 0.6], [0.2, 0.8])
UNCERTAINTY = torch.tensor([0.1, 0.4, 0.9])[:, None, None, None]


def test_certain_predictions_count_more():
    # Weights 1/.2, 1/.5, 1/1 = 5, 2, 1 of 8.
    fused = fuse(PREDICTIONS, UNCERTAINTY, eps=0.1)[0, :, 0, 0]
    assert fused.tolist() == pytest.approx([5.5 / 8, 2.5 / 8])


def test_without_oneself():
    fused = fuse(PREDICTIONS, UNCERTAINTY, without=0, eps=0.1)[0, :, 0, 0]
    assert fused.tolist() == pytest.approx([1.0 / 3, 2.0 / 3])


def test_uncertainty_of_images_weights_all_their_pixels():
    probabilities = torch.rand(3, 2, 4, 5, 6).softmax(2)
    each = torch.rand(3, 2, 1, 1)
    assert torch.allclose(
        fuse(probabilities, each), fuse(probabilities, each.expand(3, 2, 5, 6)), atol=1e-6
    )
    assert torch.allclose(fuse(probabilities, each).sum(1), torch.ones(2, 5, 6), atol=1e-5)
