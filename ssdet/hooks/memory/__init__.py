"""Hooks that keep labels from one step to a later one, or take labels that others wrote.

Not here: statistics of scores that a threshold remembers (`thresholds`).
"""

from .external_labels import ExternalLabelsHook as ExternalLabelsHook
from .pseudo_box_memory import PseudoBoxMemoryHook as PseudoBoxMemoryHook
from .pseudo_label_disk import PseudoLabelDiskHook as PseudoLabelDiskHook
