"""Seeds derived from numbers and words: the same on every machine, in every process."""

import zlib

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.runner import set_random_seed


def derive_seed(*keys: int | str) -> int:
    """A 64-bit seed from non-negative integers and words."""
    numbers = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def seed_ranks_apart() -> None:
    """Let each process draw other random numbers from here on; the first one is unchanged.

    MMEngine seeds all processes alike, so that they build equal models.
    """
    rank = get_rank()
    if rank:
        seed = derive_seed(torch.initial_seed() & 0x7FFFFFFFFFFFFFFF, rank, "rank")
        set_random_seed(seed & 0xFFFFFFFF)
