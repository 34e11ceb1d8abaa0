"""The entropy of a mean prediction, as a measure of what a teacher does not know."""

import math

from torch import Tensor


def predictive_entropy(probabilities: Tensor) -> Tensor:
    """-sum(p ln p) over the classes of (B, C, H, W), in nats; from 0 to ln C."""
    probabilities = probabilities.float()
    return -(probabilities * probabilities.clamp(min=1e-12).log()).sum(1)


def entropy_limit(classes: int, share: float) -> float:
    """That share of the highest possible entropy, ln C."""
    return share * math.log(classes)
