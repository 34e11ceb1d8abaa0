"""torchvision's kernels, where torchvision can be loaded and agrees with mmcv."""

from __future__ import annotations


def available() -> list[str]:
    """Names of the operators that torchvision computes here."""
    return []
