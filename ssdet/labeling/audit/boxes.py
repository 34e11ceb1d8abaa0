"""Labeled boxes that a detector contradicts: swapped, badly placed, overlooked, unsupported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .criteria import covered, ious

Kind = Literal["overlooked", "swapped", "badly placed", "unsupported", "region"]
NEAR = 0.1  # IoU from which a prediction says something about a label
SAME = 0.5  # IoU from which both mean the same object


def no_boxes() -> np.ndarray:
    """None of them, in the shape of some."""
    return np.zeros((0, 4))


@dataclass(frozen=True)
class Boxes:
    """Boxes of one image, labeled or predicted.

    Attributes:
        bboxes: (N, 4), corners.
        labels: (N,) classes.
        scores: (N,); ones for labels.
        ignored: (M, 4) regions in which nothing was to be labeled (crowds).
    """

    bboxes: np.ndarray = field(default_factory=no_boxes)
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    ignored: np.ndarray = field(default_factory=no_boxes)

    def __len__(self) -> int:
        return len(self.bboxes)

    def above(self, score: float) -> Boxes:
        """Those with at least this score."""
        kept = self.scores >= score
        return Boxes(self.bboxes[kept], self.labels[kept], self.scores[kept], self.ignored)


@dataclass
class Suspect:
    """A label that looks wrong, or an object that has none.

    Attributes:
        kind: What is wrong.
        score: From 0 to 1: how sure the networks are of it.
        given: Class of the label; None for an overlooked object.
        suggested: Class that the networks see there; None if they see nothing.
        box: Of the label, or of the overlooked object.
        better: Box that the networks suggest, if they do.
        number: Position of the label among those of its image.
        seen_by, judges: How many networks contradict, of how many that looked.
        where: The image, filled in by whoever reads it.
        mask: Of a region: its pixels within the box.
    """

    kind: Kind
    score: float
    given: int | None
    suggested: int | None
    box: tuple[float, ...]
    better: tuple[float, ...] | None = None
    number: int | None = None
    seen_by: int = 1
    judges: int = 1
    where: Any = None
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Evidence:
    """What one network says of each label: scores from 0 to 1, and the prediction behind each."""

    swapped: np.ndarray
    badly_placed: np.ndarray
    unsupported: np.ndarray
    other: np.ndarray
    own: np.ndarray


def typical_scores(given: Sequence[Boxes], found: Sequence[Boxes], classes: int) -> np.ndarray:
    """For each class the median score of the labels that a network finds again.

    What counts as sure differs from detector to detector. A class that is never found has the
    median of all.
    """
    scores: list[list[float]] = [[] for _ in range(classes)]
    for ours, theirs in zip(given, found, strict=True):
        if not len(ours) or not len(theirs):
            continue
        hit = (ours.labels[:, None] == theirs.labels) & (ious(ours.bboxes, theirs.bboxes) >= SAME)
        best = np.where(hit, theirs.scores, 0.0).max(1)
        for label, score in zip(ours.labels, best, strict=True):
            if score > 0:
                scores[int(label)].append(float(score))
    every = [score for own in scores for score in own]
    usual = float(np.median(every)) if every else 1.0
    return np.array([np.median(own) if own else usual for own in scores])


def evidence(given: Boxes, found: Boxes, typical: np.ndarray | None = None) -> Evidence:
    """How far the predictions contradict each label.

    With s the score of a prediction and u its IoU with the label:

    * swapped: the largest s * u of another class, less the largest of the label's own;
    * badly placed: s * (1 - u) of the own class's prediction with the largest s * u, unless that
      one lies better on another label of the class;
    * unsupported: 1 - the largest s of any class with u of at least 0.1, as a share of the
      `typical` score of the label's class (of 1, if it is not given).
    """
    count = len(given)
    if not len(found) or not count:
        nothing, none = np.zeros(count), np.full(count, -1)
        return Evidence(nothing, nothing, np.ones(count), none, none)
    overlap = ious(given.bboxes, found.bboxes)
    same = given.labels[:, None] == found.labels
    support = found.scores * overlap
    own = np.where(same, support, -1.0).argmax(1)
    other = np.where(same, -1.0, support).argmax(1)
    rows = np.arange(count)
    for_own, for_other = (np.where(kind, support, 0.0).max(1) for kind in (same, ~same))
    swapped = np.maximum(for_other - for_own, 0.0)
    # Of those of its class, which label does the prediction lie on?
    rival = np.where(same, overlap, 0.0).max(0)
    iou = overlap[rows, own]
    lies_here = same[rows, own] & (iou >= NEAR) & (iou >= rival[own])
    badly = np.where(lies_here, found.scores[own] * (1.0 - iou), 0.0)
    near = np.where(overlap >= NEAR, found.scores, 0.0).max(1)
    usual = np.ones(count) if typical is None else typical[given.labels]
    return Evidence(swapped, badly, np.maximum(1.0 - near / usual, 0.0), other, own)


def overlooked(given: Boxes, found: Boxes) -> np.ndarray:
    """For each prediction: s * (1 - largest IoU with a label), if no label means its object.

    A prediction is explained by a label that it covers to one half, by one whose best prediction
    it is, and by a region in which nothing was to be labeled.
    """
    if not len(found):
        return np.zeros(0)
    missed = np.array(found.scores, np.float64)
    if len(given):
        overlap = ious(given.bboxes, found.bboxes)
        most = overlap.max(0)
        best = (found.scores * overlap).argmax(1)
        best = best[overlap[np.arange(len(given)), best] >= NEAR]
        missed *= 1.0 - most
        missed[most >= SAME] = 0.0
        missed[best] = 0.0
    missed[covered(found.bboxes, given.ignored) >= SAME] = 0.0
    return missed


def suspects(
    given: Boxes,
    found: Sequence[Boxes],
    typical: Sequence[np.ndarray | None] | None = None,
    least: float = 0.1,
) -> list[Suspect]:
    """The labels of an image that networks contradict by more than `least`, in the mean of them."""
    usual = typical or [None] * len(found)
    views = [evidence(given, each, own) for each, own in zip(found, usual, strict=True)]
    result = [*_of_labels(given, found, views, least), *_missed(given, found, least)]
    for suspect in result:
        suspect.judges = len(found)
    return result


def _of_labels(
    given: Boxes, found: Sequence[Boxes], views: Sequence[Evidence], least: float
) -> list[Suspect]:
    result = []
    for number in range(len(given)):
        box, label = _corners(given.bboxes[number]), int(given.labels[number])
        scores: dict[Kind, np.ndarray] = {
            "swapped": np.array([view.swapped[number] for view in views]),
            "badly placed": np.array([view.badly_placed[number] for view in views]),
            "unsupported": np.array([view.unsupported[number] for view in views]),
        }
        # One finding for a label, the strongest: what is in the wrong place also has no support.
        kind = max(scores, key=lambda name: float(scores[name].mean()))
        mean = float(scores[kind].mean())
        if mean <= least:
            continue
        view = int(scores[kind].argmax())
        hint = {"swapped": views[view].other, "badly placed": views[view].own}.get(kind)
        place = -1 if hint is None else int(hint[number])
        suggested = int(found[view].labels[place]) if place >= 0 else None
        better = _corners(found[view].bboxes[place]) if place >= 0 else None
        seen_by = int((scores[kind] > least).sum())
        result.append(Suspect(kind, mean, label, suggested, box, better, number, seen_by))
    return result


def _missed(given: Boxes, found: Sequence[Boxes], least: float) -> list[Suspect]:
    """Objects without a label; those that several networks see are one."""
    every = [
        (float(score), int(each.labels[place]), each.bboxes[place], number)
        for number, each in enumerate(found)
        for place, score in enumerate(overlooked(given, each))
        if score > 0
    ]
    result = []
    while every:
        first = max(every, key=lambda one: one[0])
        overlap = ious(first[2][None], np.array([one[2] for one in every]))[0]
        together = [one for one, iou in zip(every, overlap, strict=True)
                    if iou >= SAME and one[1] == first[1]]  # fmt: skip
        by_network: dict[int, float] = {}
        for score, _, _, number in together:
            by_network[number] = max(by_network.get(number, 0.0), score)
        mean = sum(by_network.values()) / len(found)
        if mean > least:
            box = _corners(first[2])
            result.append(Suspect("overlooked", mean, None, first[1], box, seen_by=len(by_network)))
        # What lies on the same place as another class is the same object.
        every = [one for one, iou in zip(every, overlap, strict=True) if iou < SAME]
    return result


def _corners(box: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(edge), 2) for edge in box)
