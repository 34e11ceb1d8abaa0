"""How sure a model may be of an annotated label for it to still teach something."""

from __future__ import annotations

import math
from typing import Literal

Release = Literal["linear", "exp", "log"]


def signal_threshold(progress: float, classes: int, release: Release = "linear") -> float:
    """The threshold of UDA's training signal annealing, from about 1 / classes to 1.

    c (1 - 1/K) + 1/K with c = r, e^(5 (r - 1)) or 1 - e^(-5 r), for the progress r in [0, 1].
    """
    share = min(max(progress, 0.0), 1.0)
    if release == "exp":
        share = math.exp(5 * (share - 1))
    elif release == "log":
        share = 1 - math.exp(-5 * share)
    return share * (1 - 1 / classes) + 1 / classes
