"""Which classes the clusters of an unsupervised detector are, by labeled images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .fuse_boxes import iou
from .fuse_sources import BoxSource, read_source


def match_clusters(
    predicted: str | Path, labeled: str | Path, *, overlap: float = 0.5, least: int = 2
) -> dict[str, list[str]]:
    """For each class the clusters that are it, the most frequent first.

    An object counts for the cluster of the box that overlaps it most. A cluster is the class that
    it counts for most often.

    Args:
        predicted: Boxes of clusters in the labeled images: a COCO file, or any format.
        labeled: The true boxes of these images.
        overlap: Least IoU of a box with an object.
        least: Objects that a cluster must count for.
    """
    found, truth = read_source(Path(predicted)), read_source(Path(labeled))
    counts = _counts(found, truth, overlap)
    most = counts.argmax(0)
    classes: dict[str, list[str]] = {}
    for number, name in enumerate(truth.classes):
        own = [int(c) for c in np.argsort(-counts[number], kind="stable")
               if most[c] == number and counts[number, c] >= least]  # fmt: skip
        classes[name] = [found.classes[cluster] for cluster in own]
    return classes


def _counts(found: BoxSource, truth: BoxSource, overlap: float) -> np.ndarray:
    """How many objects of each class (C, K) each cluster stands for."""
    counts = np.zeros((len(truth.classes), len(found.classes)), np.int64)
    for image in truth.rows:
        there, given = found.of(image), truth.of(image)
        if there is None or given is None or there.start == there.stop:
            continue
        corners, clusters = found.corners[there], found.labels[there]
        for box, label in zip(truth.corners[given], truth.labels[given], strict=True):
            shared = iou(corners, box)
            best = int(shared.argmax())
            if shared[best] >= overlap:
                counts[label, clusters[best]] += 1
    return counts
