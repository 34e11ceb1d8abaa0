"""Distillation between networks of different size, on logits and on feature maps (MGD, ECCV 2022).

Both losses compare what does not depend on the number of channels of a network: the mean logit of
each class, and how similar the regions of one image are to each other.
"""

import torch.nn.functional as F
from torch import Tensor


def gap_logit_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Sum over images and classes of |mean logit - mean logit|, of two logits (B, C, H, W).

    The image-level loss: do both predict the same classes for the whole image? It is a sum, not a
    mean, so its factor is small (the paper uses 0.002 and 0.001).
    """
    mean = [logits.float().mean((-2, -1)) for logits in (student, teacher)]
    return (mean[0] - mean[1]).abs().sum()


def self_similarity(features: Tensor, pool: int = 7) -> Tensor:
    """Cosine similarity of each two of pool x pool regions: (B, C, H, W) -> (B, pool^2, pool^2)."""
    regions = F.adaptive_avg_pool2d(features.float(), pool).flatten(2)
    regions = F.normalize(regions, dim=1)
    return regions.transpose(1, 2) @ regions


def region_similarity(student: Tensor, teacher: Tensor, pool: int = 7) -> Tensor:
    """Mean squared difference of the self-similarities; the numbers of channels may differ."""
    return F.mse_loss(self_similarity(student, pool), self_similarity(teacher, pool))
