"""Boxes of several sources for one image, fused into one list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Mode = Literal["wbf", "vote", "union"]


@dataclass
class Boxes:
    """Boxes of an image: corners (N, 4), classes, scores in [0, 1], and who found them (N,)."""

    corners: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class Fused:
    """Fused boxes, and of each the box of the input that it is built around (`leaders`)."""

    corners: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    votes: np.ndarray
    leaders: np.ndarray


def fuse_boxes(
    boxes: Boxes,
    reliability: np.ndarray,
    *,
    mode: Mode = "wbf",
    min_iou: float = 0.55,
    votes: int = 2,
    present: np.ndarray | None = None,
) -> Fused:
    """One box for each object.

    Boxes of one class whose IoU with the mean of a cluster is at least `min_iou` are one object;
    of a source with several of them the most certain one counts.

    * "wbf" (weighted boxes fusion, Solovyev et al. 2021): corners are means, weighted by score
      times reliability. The score is the sum of those products, divided by the reliabilities of all
      sources that saw the image: who did not find the object counts as 0.
    * "vote": the same corners, for objects that `votes` sources found; the score is the mean of
      the scores of those that found it, weighted by their reliabilities.
    * "union": every object, with the corners and the score of its most certain box.

    Args:
        boxes: Of all sources.
        reliability: Of each source for each class (S, C), in [0, 1].
        mode, min_iou, votes: See above.
        present: Which sources (S,) saw the image. None: all.
    """
    sources = len(reliability)
    present = np.ones(sources, dtype=bool) if present is None else present
    trust = reliability[boxes.sources, boxes.labels]
    weights = boxes.scores * trust
    kept: list[tuple[np.ndarray, int, float, int, int]] = []
    for members in clusters(boxes, weights, min_iou):
        label, leader = int(boxes.labels[members[0]]), members[0]
        own = weights[members]
        if mode == "vote" and len(members) < min(votes, int(present.sum())):
            continue
        if mode == "union":
            kept.append((boxes.corners[leader], label, boxes.scores[leader], len(members), leader))
            continue
        corners = mean_box(boxes.corners[members], own)
        every = reliability[present, label].sum() if mode == "wbf" else trust[members].sum()
        kept.append((corners, label, own.sum() / max(every, 1e-12), len(members), leader))
    if not kept:
        none = np.zeros(0, dtype=int)
        return Fused(np.zeros((0, 4)), none, np.zeros(0), none, none)
    corners, labels, scores, found, leaders = zip(*kept, strict=True)
    return Fused(
        np.stack(corners), np.array(labels), np.array(scores), np.array(found), np.array(leaders)
    )


def clusters(boxes: Boxes, weights: np.ndarray, min_iou: float) -> list[list[int]]:
    """Numbers of the boxes of each object, the heaviest first; one box of each source at most."""
    found: list[list[int]] = []
    means: np.ndarray = np.zeros((0, 4))
    labels: np.ndarray = np.zeros(0, dtype=int)
    for number in np.argsort(-weights, kind="stable"):
        overlap = iou(means, boxes.corners[number]) * (labels == boxes.labels[number])
        place = int(overlap.argmax()) if len(found) else 0
        if not len(found) or overlap[place] < min_iou:
            place = len(found)
        elif boxes.sources[number] in boxes.sources[found[place]]:
            continue  # its source has a heavier box of this object
        if place == len(found):
            found.append([int(number)])
            means = np.concatenate([means, boxes.corners[number][None]])
            labels = np.append(labels, boxes.labels[number])
        else:
            found[place].append(int(number))
            means[place] = mean_box(boxes.corners[found[place]], weights[found[place]])
    return found


def mean_box(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of corners (N, 4) with weights (N,); equal ones where all are 0."""
    weights = weights if weights.sum() > 0 else np.ones_like(weights)
    return (corners * weights[:, None]).sum(0) / weights.sum()


def iou(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU (N,) of boxes (N, 4) with one box (4,)."""
    low, high = np.maximum(boxes[:, :2], other[:2]), np.minimum(boxes[:, 2:], other[2:])
    shared = (high - low).clip(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1) + (other[2:] - other[:2]).prod()
    return shared / np.maximum(area - shared, 1e-12)
