"""Distributions of features, and those of rare classes."""

import pytest
import torch

from ssdet.thresholds.class_gaussians import ClassGaussians

# Class 0 around (0, 0), wide along x; class 1 around (10, 0), wide along y; class 2 once at (1, 1).
FEATURES = torch.tensor([[-2.0, 0], [2, 0], [10, -4], [10, 4], [1, 1]])
LABELS = torch.tensor([0, 0, 1, 1, 2])


def test_fitted_by_hand():
    found = ClassGaussians.fit(FEATURES, LABELS, 4)
    assert found.counts.tolist() == [2, 2, 1, 0]
    assert found.means.tolist() == [[0, 0], [10, 0], [1, 1], [0, 0]]
    assert found.covariances[0].tolist() == [[4, 0], [0, 0]]
    assert found.covariances[1].tolist() == [[0, 0], [0, 16]]
    assert not found.covariances[2:].any()


def test_a_rare_class_takes_the_spread_of_the_nearest():
    found = ClassGaussians.fit(FEATURES, LABELS, 4).calibrated(2, neighbors=1, share=0.25)
    assert found.means[2].tolist() == [0.75, 0.75] and found.covariances[2].tolist() == [
        [4, 0],
        [0, 0],
    ]
    both = ClassGaussians.fit(FEATURES, LABELS, 4).calibrated(2, neighbors=2, share=0.25)
    assert both.means[2].tolist() == [2.0, 0.75]  # a quarter of the way to (5, 0)
    assert both.covariances[2].tolist() == [[2, 0], [0, 8]]
    assert both.means[0].tolist() == [0, 0] and not both.means[3].any()


def test_without_a_frequent_class_nothing_changes():
    plain = ClassGaussians.fit(FEATURES, LABELS, 3)
    assert torch.equal(plain.calibrated(5).means, plain.means)


def test_drawn_features_have_the_mean_and_the_spread():
    found = ClassGaussians.fit(FEATURES, LABELS, 3)
    drawn = found.draw(1, 4000, torch.Generator().manual_seed(0))
    assert (drawn[:, 0] - 10).abs().max() < 1e-6  # no spread along x
    assert drawn[:, 1].mean().abs() < 5 * 4 / 4000**0.5
    assert drawn[:, 1].std().item() == pytest.approx(4, rel=0.05)
