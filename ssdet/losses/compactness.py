"""SS-Net: features of a class lie close to remembered ones of the same class."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def class_distances(
    features: Tensor, labels: Tensor, memory: Sequence[Tensor], weights: Tensor
) -> Tensor:
    """Sum over the classes of the mean of weight * (1 - cosine), divided by their number.

    Within a class the weights are scaled so that their mean is 1. A class without a feature or
    without a memory adds nothing.

    Args:
        features: Of N pixels (N, D).
        labels: Their classes (N,).
        memory: For each class remembered features (M, D).
        weights: How much each pixel counts, above 0, for its class (N, C).
    """
    total = features.sum() * 0.0
    directions = F.normalize(features.float(), dim=-1)
    for number, remembered in enumerate(memory):
        own = labels == number
        if not len(remembered) or not own.any():
            continue
        given = weights[own, number]
        share = given / given.mean().clamp(min=torch.finfo(given.dtype).tiny)
        cosines = directions[own] @ F.normalize(remembered.to(features), dim=-1).T
        total = total + ((1 - cosines) * share[:, None]).mean()
    return total / max(len(memory), 1)
