"""What the page knows of an image: labels, decisions, geometry, as plain numbers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from torch import Tensor

from ...evaluation.pseudo_labels import partners
from ...labels import IGNORE
from ...teacher_student.geometry import between, homography
from ...teacher_student.pseudo_boxes import AMBIGUOUS, LOW, PseudoBoxes
from ...teacher_student.step import PixelLabels, Step

KEPT, UNSURE, IGNORED, DROPPED = range(4)
BOXES = 100  # of the teacher, and of the student, in an image; those with the highest scores
BINS = 50  # of the histograms of scores
MAP = 320  # longest side of a map of labels
Record = dict[str, Any]


def box_record(step: Step, student: Any, reasons: list[str]) -> Record:
    """Boxes of one image; `reasons` collects why boxes were dropped."""
    found = step.pseudo_boxes[0]
    groups = [(found, _decisions(found), "")]
    for reason, lost in step.dropped[0].items():
        groups.append((lost, [DROPPED] * len(lost), reason))
    own = [(one[n], code, why) for one, codes, why in groups for n, code in enumerate(codes)]
    own = sorted(own, key=lambda row: -float(row[0].scores))[:BOXES]
    other: PseudoBoxes = student[0]
    other = other[other.scores.argsort(descending=True)[:BOXES]]
    teacher = PseudoBoxes.cat([one for one, _, _ in own]) if own else found
    same = partners(teacher.bboxes, teacher.labels, other.bboxes, other.labels)[0].tolist()
    rows = []
    for number, (box, code, why) in enumerate(own):
        if why and why not in reasons:
            reasons.append(why)
        theirs = _rounded(other.scores[same[number]]) if same[number] >= 0 else 0.0
        place = reasons.index(why) if why else -1
        rows.append([*_box(box), int(box.labels), _rounded(box.scores), code, place, theirs])
    return {
        "b": rows,
        "u": [[*_box(box), int(box.labels), _rounded(box.scores)] for box in _each(other)],
        "d": round(disagreement(teacher, other, same), 3),
        "p": [_outline(box) for box, _, _ in own] if "masks" in found else [],
        **_geometry(step),
    }


def disagreement(teacher: PseudoBoxes, student: PseudoBoxes, same: list[int]) -> float:
    """How much of the scores the two do not share, in [0, 1]; no threshold takes part in it.

    A weighted Jaccard distance: pairs of boxes share the lower of both scores.
    """
    pairs = [(n, m) for n, m in enumerate(same) if m >= 0]
    shared = sum(min(float(teacher.scores[n]), float(student.scores[m])) for n, m in pairs)
    every = float(teacher.scores.sum() + student.scores.sum()) - shared
    return 1 - shared / every if every else 0.0


def pixel_record(step: Step, student: PixelLabels) -> tuple[Record, np.ndarray]:
    """Shares of the classes by score, and a picture (H, W, 3): label, score, decision.

    The third channel is the decision, plus 16 where the student says something else.
    """
    height, width = step.weak_views.samples[0].img_shape[:2]
    fields: Any = step.pseudo_pixels.map(lambda one: one[0, ..., :height, :width].cpu().numpy())
    labels, scores, weights = fields.labels, fields.scores, fields.weights
    valid = fields.valid.astype(bool) & (labels != IGNORE)
    theirs = student.labels[0, :height, :width].cpu().numpy()
    codes = np.where(weights >= 1, KEPT, np.where(weights > 0, UNSURE, DROPPED))
    total = max(int(valid.sum()), 1)
    rows = []
    for label in np.unique(labels[valid]).tolist():
        mine = valid & (labels == label)
        bins = np.clip((scores[mine] * BINS).astype(int), 0, BINS - 1)
        counts = np.bincount(bins, minlength=BINS) / total
        parts = np.bincount(codes[mine], minlength=4) / total
        rows.append([label, [round(float(v), 5) for v in parts],
                     [round(float(v), 5) for v in counts]])  # fmt: skip
    differs = valid & (theirs != labels)
    map_ = np.stack(
        [np.where(valid, labels, IGNORE), (scores * 255).round(), codes + 16 * differs], axis=-1
    ).astype(np.uint8)
    side = max(map_.shape[:2])
    if side > MAP:
        size = round(width * MAP / side), round(height * MAP / side)
        map_ = cv2.resize(map_, size, interpolation=cv2.INTER_NEAREST)
    return {"q": rows, "d": round(float(differs.sum()) / total, 3), **_geometry(step)}, map_


def _geometry(step: Step) -> Record:
    """Sizes of the views, and matrices that lead from the weak view to the others."""
    weak = step.weak_views.samples[0]
    strong = next(iter(step.strong.values())).samples[0]
    return {
        "w": [int(weak.img_shape[1]), int(weak.img_shape[0])],
        "s": [int(strong.img_shape[1]), int(strong.img_shape[0])],
        "wo": _matrix(np.linalg.inv(homography(weak))),
        "ws": _matrix(between(weak, strong)),
    }


def _decisions(boxes: PseudoBoxes) -> list[int]:
    codes = {LOW: IGNORED, AMBIGUOUS: UNSURE}
    return [codes.get(level, KEPT) for level in boxes.level.tolist()]


def _each(boxes: PseudoBoxes) -> list[Any]:
    return [boxes[n] for n in range(len(boxes))]


def _box(box: Any) -> list[float]:
    return [round(float(v), 1) for v in box.bboxes.reshape(-1)[:4]]


def _outline(box: Any) -> list[int]:
    """The largest outline of a mask as x, y, x, y, ..., in pixels of the weak view."""
    mask = box.masks
    array = mask.cpu().numpy() if isinstance(mask, Tensor) else mask.to_ndarray()
    array = np.ascontiguousarray(array.reshape(array.shape[-2:]), dtype=np.uint8)
    outlines, _ = cv2.findContours(array, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return []
    largest = max(outlines, key=cv2.contourArea)
    return [int(v) for v in cv2.approxPolyDP(largest, 0.8, closed=True).reshape(-1)]


def _matrix(matrix: np.ndarray) -> list[float]:
    return [float(f"{v:.7g}") for v in (matrix / matrix[2, 2]).reshape(-1)]


def _rounded(value: Any) -> float:
    return round(float(value), 3)
