"""Labels of a model as values of label files, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...labels import IGNORE


class FileLabels:
    """Undoes what MMSegmentation's `LoadAnnotations` does to the values of a label map.

    It reads a value v as v - 1 with 0 and 255 as unknown (`reduce_zero_label`), and replaces the
    result by `label_map`. `to_file` writes maps that are read as what they were made from.

    Args:
        classes: Of the model.
        reduce_zero_label, label_map: As of the data set; a `label_map` maps values to labels.
    """

    def __init__(
        self, classes: int, reduce_zero_label: bool, label_map: Mapping[int, int] | None = None
    ) -> None:
        values = np.arange(256)
        read = np.where((values == 0) | (values == IGNORE), IGNORE, values - 1)
        read = read if reduce_zero_label else values
        if label_map:
            mapped = read.copy()
            for old, new in label_map.items():
                mapped[read == int(old)] = IGNORE if new == -1 else int(new)
            read = mapped
        self._read = read.astype(np.uint8)
        self._written = np.full(256, IGNORE, np.uint8)
        for label in range(min(classes, IGNORE)):
            found = np.flatnonzero(self._read[:IGNORE] == label)
            if not len(found):
                raise ValueError(
                    f"PseudoLabelDiskHook: no value of a label file is read as class {label} with "
                    f"reduce_zero_label={reduce_zero_label} and label_map={dict(label_map or {})}; "
                    f"the model has {classes} classes. Set both as the labeled data set has them."
                )
            self._written[label] = found[0]

    def to_file(self, labels: np.ndarray) -> np.ndarray:
        """Labels as uint8 values of a file; 255 stays 255."""
        return self._written[labels.astype(np.uint8)]

    def from_file(self, values: np.ndarray) -> np.ndarray:
        """What `LoadAnnotations` reads from the file."""
        return self._read[values]
