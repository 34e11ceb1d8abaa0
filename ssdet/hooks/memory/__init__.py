"""Hooks that keep labels from one step to a later one, or take labels that others wrote.

Not here: statistics of scores that a threshold remembers (`thresholds`).
"""

from .external_labels import SecondSourceHook as SecondSourceHook
from .pseudo_box_memory import PseudoLabelStoreHook as PseudoLabelStoreHook
from .pseudo_label_disk import PseudoLabelBankHook as PseudoLabelBankHook
