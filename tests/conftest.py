"""Every test starts from the same random state and from no current runner."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import random

import numpy as np
import pytest
import torch

import ssdet  # noqa: F401  (installs the portable operators and registers everything)

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_start():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
