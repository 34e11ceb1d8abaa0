"""Hooks that keep labels from one step to a later one, or use labels from elsewhere.

Not here: statistics of scores that a threshold keeps (`thresholds`).
"""

from .date_decoders import DateDecodersHook as DateDecodersHook
from .external_boxes import ExternalBoxesHook as ExternalBoxesHook
from .external_labels import ExternalLabelsHook as ExternalLabelsHook
from .external_maps import ExternalMapsHook as ExternalMapsHook
from .image_tags import ImageTagHook as ImageTagHook
from .partial_labels import PartialLabelsHook as PartialLabelsHook
from .pseudo_box_memory import PseudoBoxMemoryHook as PseudoBoxMemoryHook
from .pseudo_label_disk import PseudoLabelDiskHook as PseudoLabelDiskHook
