"""Seeds made of numbers and words: the same on every machine, in every process."""

import zlib

import numpy as np


def derive_seed(*keys: int | str) -> int:
    """A 64-bit seed from non-negative integers and words."""
    numbers = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
