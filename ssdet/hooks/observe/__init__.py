"""Hooks that watch a run and change nothing: pictures, counts, statistics (`read_only`).

Not here: pages made from what they write (`ssdet.report`).
"""

from .gallery import GalleryHook as GalleryHook
from .monitor import PseudoLabelMonitorHook as PseudoLabelMonitorHook
from .origins import OriginStatisticsHook as OriginStatisticsHook
