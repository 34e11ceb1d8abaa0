"""Thresholds that are learned, as pure functions of tensors."""

from .consensus import Fusion, confident_overlap, fuse_boxes, match_boxes
from .fusion import Uncertainty, fuse, uncertainty_of, variance_of
from .two_means import DualThreshold, levels, truncate, two_means

__all__ = [
    "DualThreshold",
    "Fusion",
    "Uncertainty",
    "confident_overlap",
    "fuse",
    "fuse_boxes",
    "levels",
    "match_boxes",
    "truncate",
    "two_means",
    "uncertainty_of",
    "variance_of",
]
