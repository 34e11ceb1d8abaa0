"""How good teacher and student are: metrics beyond those of MMDetection and MMSegmentation."""

from .boundaries import BoundaryCounts, boundary_counts, mask_edge
from .segmentation import SegmentationMetric

__all__ = ["BoundaryCounts", "SegmentationMetric", "boundary_counts", "mask_edge"]
