"""The threshold of CW-BASS by hand."""

import pytest

from ssdet.thresholds.mean_confidence import mean_confidence_threshold


def test_the_defaults_are_almost_constant():
    """0.6 / (1 + e^-0.25) = 0.3373; below 0.5 the sigmoid is held at 0.3."""
    assert mean_confidence_threshold(1.0) == pytest.approx(0.33731, abs=1e-5)
    assert mean_confidence_threshold(0.5) == pytest.approx(0.3)
    assert mean_confidence_threshold(0.0) == 0.3
    assert mean_confidence_threshold(0.8) == pytest.approx(0.6 / (1 + 0.8607080), abs=1e-5)


def test_a_steeper_one_moves():
    """0.6 / (1 + e^-2.5) = 0.5545."""
    assert mean_confidence_threshold(1.0, beta=5) == pytest.approx(0.55448, abs=1e-5)
    assert mean_confidence_threshold(0.0, beta=5, bounds=(0, 1)) == pytest.approx(0.04552, abs=1e-5)
    assert mean_confidence_threshold(1.0, base=1.0, beta=9) == 0.8
