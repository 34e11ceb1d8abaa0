"""Losses as pure functions of tensors."""

from .dice import weighted_dice
from .pixels import IGNORE, Reduction, effective_weights, masked_cross_entropy, pixel_mean

__all__ = [
    "IGNORE",
    "Reduction",
    "effective_weights",
    "masked_cross_entropy",
    "pixel_mean",
    "weighted_dice",
]
