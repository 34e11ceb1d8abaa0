"""UDA's schedules, by hand."""

import pytest

from ssdet.thresholds import signal_threshold


@pytest.mark.parametrize(
    ("release", "progress", "expected"),
    [
        ("linear", 0.5, 0.55),
        ("exp", 0.5, 0.1739),
        ("log", 0.5, 0.9261),
        ("linear", 0.0, 0.1),
        ("linear", 1.0, 1.0),
        ("exp", 7.0, 1.0),
        ("log", -1.0, 0.1),
    ],
)
def test_ten_classes(release, progress, expected):
    assert signal_threshold(progress, 10, release) == pytest.approx(expected, abs=1e-3)
