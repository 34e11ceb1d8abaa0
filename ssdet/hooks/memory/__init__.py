"""Hooks that keep labels from one step to a later one, or use labels from elsewhere.

Not here: statistics of scores that a threshold keeps (`thresholds`).
"""

from .external_labels import ExternalLabelsHook as ExternalLabelsHook
from .pseudo_box_memory import PseudoBoxMemoryHook as PseudoBoxMemoryHook
from .pseudo_label_disk import PseudoLabelDiskHook as PseudoLabelDiskHook
