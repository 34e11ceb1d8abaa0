"""How thresholds are found: plain functions on tensors, for boxes and pixels alike."""

from .consensus import Fusion, confident_overlap, fuse_boxes, match_boxes
from .fusion import Uncertainty, fuse, uncertainty_of, variance_of
from .gmm import Mixture, MixturePolicy, fit_mixtures, mixture_thresholds
from .two_means import DualThreshold, levels, truncate, two_means

__all__ = [
    "DualThreshold",
    "Fusion",
    "Mixture",
    "MixturePolicy",
    "Uncertainty",
    "confident_overlap",
    "fit_mixtures",
    "fuse",
    "fuse_boxes",
    "levels",
    "match_boxes",
    "mixture_thresholds",
    "truncate",
    "two_means",
    "uncertainty_of",
    "variance_of",
]
