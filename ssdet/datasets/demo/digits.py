"""The handwritten digits of scikit-learn, enlarged to smooth glyphs."""

from functools import lru_cache

import numpy as np

from ...extras import load

GLYPH = 36  # side of an enlarged image: 8 cells of 4 pixels and a margin of 2 on every side
_CELL, _MARGIN = 4, 2
_VALIDATION_SHARE = 0.3


@lru_cache(maxsize=1)
def glyphs() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 digits as ink in [0, 1], (N, GLYPH, GLYPH) float32, and their classes (N,)."""
    digits = load("sklearn.datasets", extra="demo").load_digits()
    ink = (digits.images / 16).astype(np.float32)
    large = _enlarge(_enlarge(ink).transpose(0, 2, 1)).transpose(0, 2, 1)
    padded = np.pad(large, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    return np.ascontiguousarray(padded.clip(0, 1)), digits.target.astype(np.int64)


@lru_cache(maxsize=32)
def pictures_of(digit: int, validation: bool) -> np.ndarray:
    """Numbers of the images of a digit that the training or the validation scenes may use.

    The data set is ordered by writer, so the last 30 % are mostly by people unseen in training.
    """
    numbers = np.flatnonzero(glyphs()[1] == digit)
    cut = len(numbers) - round(len(numbers) * _VALIDATION_SHARE)
    return numbers[cut:] if validation else numbers[:cut]


def _enlarge(ink: np.ndarray) -> np.ndarray:
    """Rows of (N, 8, W) interpolated to (N, 32, W) with Catmull-Rom splines."""
    padded = np.pad(ink, ((0, 0), (2, 2), (0, 0)))
    rows = []
    for row in range(ink.shape[1] * _CELL):
        position = (row + 0.5) / _CELL - 0.5 + 2
        start = int(position)
        t = position - start
        taps = (
            ((2 - t) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((4 - 3 * t) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        )
        # Tap by tap instead of a matrix product: BLAS rounds differently from machine to machine.
        rows.append(sum(padded[:, start - 1 + k] * np.float32(tap) for k, tap in enumerate(taps)))
    return np.stack(rows, axis=1)
