"""Thresholds that are learned, as pure functions of tensors."""

from .two_means import DualThreshold, levels, truncate, two_means

__all__ = ["DualThreshold", "levels", "truncate", "two_means"]
