"""How good pseudo labels are, measured against labels that the training never sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

BINS = 100  # of the histogram of scores
TRUE_IOU = 0.5  # from which a box is right, with the class of the object


def matched(boxes: Tensor, labels: Tensor, objects: Tensor, classes: Tensor) -> tuple[Any, Any]:
    """Which boxes are right, and the highest IoU of each with an object of its class.

    Boxes (N, 4) are taken in their order, the highest score first. Each object (M, 4) makes one
    box of its class right: the first one with an IoU of at least 0.5.
    """
    found, best = partners(boxes, labels, objects, classes)
    return found >= 0, best


def partners(boxes: Tensor, labels: Tensor, objects: Tensor, classes: Tensor) -> tuple[Any, Any]:
    """For each box the place of its object or -1, as in `matched`, and its highest IoU."""
    found, best = np.full(len(boxes), -1), np.zeros(len(boxes))
    if not len(boxes) or not len(objects):
        return found, best
    overlaps = bbox_overlaps(boxes, objects.to(boxes))
    overlaps = overlaps * (labels[:, None] == classes.to(labels)[None])
    table = overlaps.cpu().numpy()
    best = table.max(1)
    free = np.ones(len(objects), dtype=bool)
    for number, row in enumerate(table):
        place = int(np.where(free, row, -1.0).argmax())
        if free[place] and row[place] >= TRUE_IOU:
            found[number], free[place] = place, False
    return found, best


class PseudoLabelQuality:
    """Precision and recall of pseudo labels that were kept and of those that were dropped.

    Labels are boxes or pixels. For each class: `truth` objects (or pixels), kept ones, right ones
    among them, and the same of the dropped ones; `overlap` is the sum of the IoU of kept boxes,
    `dropped_overlap` that of dropped ones.
    """

    ROWS = (
        "truth", "kept", "kept_right", "dropped", "dropped_right", "overlap", "dropped_overlap",
    )  # fmt: skip

    def __init__(self, classes: int) -> None:
        self.rows = np.zeros((len(self.ROWS), classes))
        self.scores = np.zeros((2, BINS))  # all proposals, and the right ones, by their score

    def add(self, truth: Any, labels: Any, scores: Any, right: Any, kept: Any) -> None:
        """Add objects of the truth (their classes), and proposals of one or more images."""
        count = self.rows.shape[1]
        bins = np.clip((np.asarray(scores) * BINS).astype(int), 0, BINS - 1)
        groups = (truth, labels[kept], labels[kept & right], labels[~kept], labels[~kept & right])
        for row, group in zip(self.rows, groups, strict=False):
            row += np.bincount(group, minlength=count)[:count]
        self.scores[0] += np.bincount(bins, minlength=BINS)
        self.scores[1] += np.bincount(bins[right], minlength=BINS)

    def add_overlaps(self, labels: Any, overlaps: Any, kept: Any) -> None:
        """Add the IoU of boxes with the objects that they are nearest to."""
        for row, group in ((-2, kept), (-1, ~kept)):
            np.add.at(self.rows[row], labels[group], overlaps[group])

    def summary(self, unit: str) -> dict[str, Any]:
        """Precision, recall and IoU of each class and in all; None where there is no such label."""
        every = np.concatenate([self.rows, self.rows.sum(1, keepdims=True)], axis=1)
        truth, kept, kept_right, dropped, dropped_right, overlap, lost = every
        boxes = unit == "boxes"
        columns = {
            "precision": _ratio(kept_right, kept),
            "recall": _ratio(kept_right, truth),
            "iou": _ratio(overlap if boxes else kept_right,
                          kept if boxes else kept + truth - kept_right),
            "dropped_precision": _ratio(dropped_right, dropped),
            "dropped_recall": _ratio(dropped_right, truth),
            "dropped_iou": _ratio(lost if boxes else dropped_right,
                                  dropped if boxes else dropped + truth - dropped_right),
        }  # fmt: skip
        found: dict[str, Any] = {"objects": [int(v) for v in truth[:-1]]}
        found |= {name: column[:-1] for name, column in columns.items()}
        found["all"] = {name: column[-1] for name, column in columns.items()}
        found["all"]["balanced_score"] = self.balanced_score()
        return found

    def balanced_score(self) -> float | None:
        """The threshold at which precision and recall would be equal: as many labels as objects."""
        truth = self.rows[0].sum()
        above = np.cumsum(self.scores[0][::-1])
        if not truth or above[-1] < truth:
            return None
        return round(1.0 - (int(np.argmax(above >= truth)) + 1) / BINS, 4)

    def merge(self, state: dict[str, Tensor]) -> None:
        """Add what another process has counted, or a checkpoint holds."""
        rows = state["rows"].cpu().numpy()
        self.rows[: len(rows)] += rows  # an older checkpoint lacks the last ones
        self.scores += state["scores"].cpu().numpy()

    def state_dict(self) -> dict[str, Tensor]:
        """The counts."""
        return {"rows": torch.from_numpy(self.rows), "scores": torch.from_numpy(self.scores)}


def _ratio(part: Any, whole: Any) -> list[float | None]:
    return [round(float(p / w), 4) if w else None for p, w in zip(part, whole, strict=True)]
