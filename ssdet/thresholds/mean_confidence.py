"""A threshold that follows the mean confidence of the teacher (CW-BASS)."""

import math


def mean_confidence_threshold(
    confidence: float,
    base: float = 0.6,
    beta: float = 0.5,
    bounds: tuple[float, float] = (0.3, 0.8),
) -> float:
    """base / (1 + exp(-beta (confidence - 0.5))), held within the bounds.

    With base 0.6 and beta 0.5 it lies between 0.263 and 0.337 for every confidence in [0, 1], and
    with the bounds between 0.3 and 0.337: almost a constant. With beta 5 from 0.046 to 0.555.
    """
    value = base / (1.0 + math.exp(-beta * (confidence - 0.5)))
    return min(max(value, bounds[0]), bounds[1])
