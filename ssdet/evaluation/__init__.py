"""How good teacher and student are: metrics beyond those of MMDetection and MMSegmentation."""

from .boundaries import BoundaryCounts, boundary_counts, mask_edge
from .groups import GroupedMetric
from .segmentation import SegmentationMetric

__all__ = [
    "BoundaryCounts",
    "GroupedMetric",
    "SegmentationMetric",
    "boundary_counts",
    "mask_edge",
]
