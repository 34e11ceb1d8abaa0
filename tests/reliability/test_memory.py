"""A long run takes no more memory than a short one."""

import os
from pathlib import Path

import numpy as np
import pytest

from ssdet.hooks import (
    GMMThresholdHook,
    PseudoBoxMemoryHook,
    PseudoLabelMonitorHook,
    PseudoMixupHook,
)
from ssdet.testing import detector, take_step

STEPS, WARM_UP = 400, 150


def megabytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_queues_caches_and_counts_do_not_grow():
    model = detector()
    for hook in (
        GMMThresholdHook(default=0.1, floor=0.0),
        PseudoBoxMemoryHook(interval=1),
        PseudoMixupHook(),
        PseudoLabelMonitorHook(interval=50),
    ):
        model.attach(hook)
    used = []
    for _ in range(STEPS):
        step = take_step(model)
        model.parse_losses({k: v for k, v in step.losses.items() if "loss" in k})[0].backward()
        model.zero_grad()
        used.append(megabytes())
    slope = np.polyfit(range(STEPS - WARM_UP), used[WARM_UP:], 1)[0]
    assert 1024 * slope < 50, f"{1024 * slope:.0f} KB a step"
