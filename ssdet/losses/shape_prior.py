"""Uncertainty as the distance of a prediction from what labels look like.

"Anatomically-aware uncertainty" (MICCAI 2022): a denoising auto-encoder of label maps projects the
teacher's labels onto plausible ones; where the two differ, the teacher is not to be trusted.
"""

from torch import Tensor

from ..labels import IGNORE
from .dice import weighted_dice
from .pixels import one_hot


def reconstruction_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(MSE + Dice) / 2 of probabilities (B, C, H, W) with labels (B, H, W); 255 does not count."""
    valid = labels != IGNORE
    target = one_hot(labels, probabilities.shape[1], valid)
    squared = (probabilities.float() - target).square().mean(1).where(valid, 0.0)
    mean = squared.sum() / valid.sum().clamp(min=1)
    return (mean + weighted_dice(probabilities, target, valid).mean()) / 2


def plausibility(prior: Tensor, probabilities: Tensor, gamma: float = 1.0) -> Tensor:
    """exp(-gamma (prior - p)^2) for each class and pixel, in (0, 1]."""
    return (-gamma * (prior.float() - probabilities.float()).square()).exp()


def weighted_consistency(
    student: Tensor, teacher: Tensor, weights: Tensor, valid: Tensor
) -> Tensor:
    """sum(w (p_s - p_t)^2) / (2 sum(w)) over classes and valid pixels of the batch.

    The sum of the weights is in the denominator, so a common factor of all weights changes
    nothing: they only compare the pixels. All but `valid` (B, H, W) are (B, C, H, W).
    """
    weights = weights.float() * valid[:, None]
    squared = (student.float() - teacher.float()).square()
    return (weights * squared).sum() / (2 * weights.sum()).clamp(min=1e-16)
