"""The canary plants what it says, measures on both kinds of pictures, and asks the doctor."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")  # it registers a transform, which works once
def canary():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        import benchmark_canary
    yield benchmark_canary
    sys.modules.pop("benchmark_canary")


def test_the_grid_is_faint_and_repeats(canary):
    gray = np.full((32, 32, 3), 100, np.uint8)
    seen = canary.with_grid(gray, 8)
    assert set(np.unique(seen)) == {92, 108}
    assert np.array_equal(seen, np.roll(seen, canary.PERIOD, axis=1))
    assert np.array_equal(canary.with_grid(gray, 0), gray)


@pytest.mark.long
def test_the_canary_is_measured(canary):
    row = canary.run(share=0.05, seed=0, iterations=8, amplitude=8)
    assert row.planted == 30 and 0 <= row.found <= 30
    assert 0 <= row.clean <= 1 and 0 <= row.grid <= 1 and 0 <= row.iou <= 1
    assert row.alarms <= 0.02 * (592 - 30)
