"""How good teacher and student are: metrics beyond those of MMDetection and MMSegmentation.

Here belong metrics that a `val_evaluator` names, with their arithmetic. Not here: the loop that
computes them for both models (`ssdet.engine`), and the curves drawn of them (`ssdet.report`).
"""

from .boundaries import BoundaryCounts, boundary_counts, mask_edge
from .groups import GroupedMetric
from .segmentation import SegmentationMetric
from .surfaces import Overlap, overlap, surface_distances
from .volumes import VolumeMetric

__all__ = [
    "BoundaryCounts",
    "GroupedMetric",
    "Overlap",
    "SegmentationMetric",
    "VolumeMetric",
    "boundary_counts",
    "mask_edge",
    "overlap",
    "surface_distances",
]
