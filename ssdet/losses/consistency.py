"""Agreement of probabilities: of several decoders (MC-Net+), and around a picture (SS-Net)."""

from collections.abc import Sequence
from itertools import permutations

import torch
from torch import Tensor

from .disagreement import TINY, squared_error


def sharpened_pair(probabilities: Tensor, temperature: float) -> Tensor:
    """p^(1/T) / (p^(1/T) + (1 - p)^(1/T)), each class against all others."""
    p = probabilities.float().clamp(TINY, 1 - TINY)
    return (p.logit() / temperature).sigmoid()


def mutual_consistency(
    probabilities: Sequence[Tensor], valid: Tensor, temperature: float, *, detach: bool = True
) -> Tensor:
    """Sum over all ordered pairs of |p_i - sharpened p_j|^2, averaged over classes and pixels.

    Args:
        probabilities: Of each decoder (B, C, H, W).
        valid: Pixels (B, H, W) that count.
        temperature: Of the sharpening.
        detach: No gradient passes through the sharpened ones.
    """
    targets = [sharpened_pair(one, temperature) for one in probabilities]
    targets = [one.detach() for one in targets] if detach else targets
    pairs = permutations(range(len(targets)), 2)
    return torch.stack([squared_error(probabilities[i], targets[j], valid) for i, j in pairs]).sum()


def soft_dice(probabilities: Tensor, target: Tensor, valid: Tensor, eps: float = 1e-10) -> Tensor:
    """Mean over the classes of 1 - 2 sum(p q) / (sum p^2 + sum q^2), with sums over the batch."""
    weights = valid[:, None].float()
    p, q = probabilities.float(), target.float()
    overlap, sizes = ((weights * one).sum((0, 2, 3)) for one in (2 * p * q, p**2 + q**2))
    return (1 - (overlap + eps) / (sizes + eps)).mean()
