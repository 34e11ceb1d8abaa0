"""Labels out: bulk labeling, fusion of sources, audit."""

from .label import LabelingResult, label

__all__ = ["LabelingResult", "label"]
