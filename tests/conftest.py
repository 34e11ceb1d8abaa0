"""Every test starts from the same random state and from no current runner."""

import os

# One thread, since tests run beside each other. TEST_THREADS=2 finds tests that hang on the number.
os.environ["OMP_NUM_THREADS"] = os.environ.get("TEST_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import functools
import gc
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

import ssdet

ssdet.register()  # some tests look into a registry without asking it
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

# A machine may be slow or busy: the clock decides nothing.
settings.register_profile("any clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any clock")


def keep_what_stays():
    """Take what is alive out of the garbage collector's way.

    Each data set of MMEngine calls `gc.collect()` when it is built, which looks at every object.
    """
    gc.collect()
    gc.freeze()


@functools.cache
def shares_a_fixture(path):
    """Whether tests of this file share what is made once for all of them."""
    return 'scope="module"' in Path(path).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Such a file goes to one worker as a whole, and first; other tests go where there is time.

    `--dist loadgroup` would do so by marks, but pytest 9.2 keeps xdist 3.8 from passing them on.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return path if shares_a_fixture(config.rootpath / path) else nodeid

    return Scheduling(config, log)


def pytest_collection_finish():
    keep_what_stays()


@pytest.fixture(autouse=True)
def _same_start():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    yield
    keep_what_stays()
