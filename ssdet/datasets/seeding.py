"""Randomness per sample: an index that carries a seed, and a block in which that seed rules.

The transforms of the OpenMMLab packages draw from the global `random` and `numpy.random`. Both
(and PyTorch's CPU generator) are seeded for each sample and put back afterwards, so an image
depends neither on the number of workers nor on what was drawn before it.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from ..seeds import derive_seed as derive_seed


class BatchSlot(NamedTuple):
    """Where a drawn sample stands: `slot` of a batch of `size` samples in this process."""

    slot: int
    size: int


class SeededIndex(int):
    """An index of a dataset together with the seed of this one draw."""

    seed: int
    place: BatchSlot

    def __new__(cls, index: int, seed: int, place: BatchSlot) -> "SeededIndex":
        """The integer `index` with what belongs to it."""
        self = super().__new__(cls, index)
        self.seed, self.place = seed, place
        return self

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.seed, self.place)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed `random`, `numpy.random` and torch's CPU generator, and restore them at the end."""
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    # Not torch.manual_seed: it would also reset the accelerators' generators, used in training.
    torch.default_generator.manual_seed(seed & 0x7FFFFFFFFFFFFFFF)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.default_generator.set_state(before[2])
