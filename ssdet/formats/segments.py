"""Outlines and masks of instances: checks, and ways from one form to another."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as rle

from .annotations import Box, ImageRecord, Segmentation
from .issues import Issues

_FARTHEST = 1e6  # pixels; pycocotools needs memory in proportion to a polygon's length
_NUMBERS = {int, float}
_CIRCLE = 32  # corners of the polygon that stands for a circle or an ellipse


def check_segmentation(
    value: object, record: ImageRecord, where: str, issues: Issues
) -> tuple[bool, Segmentation | None]:
    """Whether a COCO segmentation is in order, and what it is; an empty one is none at all."""
    if value is None or value == [] or value == {}:
        return True, None
    if isinstance(value, dict):
        runs = _check_runs(value, record, where, issues)
        return runs is not None, runs
    if isinstance(value, list) and value and all(_is_polygon(part) for part in value):
        return True, value
    issues.leave_out(
        "malformed polygon", where, found=value,
        allowed="a list of [x1, y1, x2, y2, x3, y3, ...], 3 or more finite corners near the image",
        advice="Correct or remove the object",
    )  # fmt: skip
    return False, None


def _is_polygon(part: object) -> bool:
    if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
        return False
    if not _NUMBERS.issuperset(map(type, part)):
        return False
    try:
        # Comparing with NaN says nothing; a sum that holds one is NaN.
        return math.isfinite(sum(part)) and min(part) >= -_FARTHEST and max(part) <= _FARTHEST
    except OverflowError:
        return False


def _check_runs(
    code: dict[str, Any], record: ImageRecord, where: str, issues: Issues
) -> dict[str, Any] | None:
    size: Any = code.get("size")
    counts = code.get("counts")
    expected = [record.height, record.width]
    if None not in expected and size != expected:
        issues.leave_out(
            "mask of another size than its image", where, found=f"size {size}",
            allowed=f"{expected} (height, width)", advice="Export the masks again",
        )  # fmt: skip
        return None
    try:
        runs = _unpack(counts) if isinstance(counts, str) else list(counts or [])
        good = isinstance(size, list) and len(size) == 2 and all(_is_count(side) for side in size)
        good = good and all(map(_is_count, runs)) and sum(runs) == size[0] * size[1]
    except (IndexError, TypeError, ValueError):
        good = False
    if not good:
        # pycocotools would write outside its memory.
        issues.leave_out(
            "malformed run-length mask", where, found=code,
            allowed="runs of pixels that add up to height x width",
            advice="Correct or remove the object",
        )  # fmt: skip
        return None
    return code


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _unpack(text: str) -> list[int]:
    """Runs of COCO's compressed text: 5 bits a letter, differences from the third run on."""
    runs: list[int] = []
    values = iter(ord(letter) - 48 for letter in text)
    for first in values:
        value, shift, piece = first & 31, 5, first
        while piece & 32:
            piece = next(values, -1)
            if piece < 0 or shift > 60:  # cut off, or so large that adding up takes forever
                raise ValueError
            value |= (piece & 31) << shift
            shift += 5
        if piece & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def encode(mask: np.ndarray) -> dict[str, Any]:
    """A boolean mask as compressed run lengths that fit into JSON."""
    code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode()}


def decode(segmentation: Segmentation, height: int, width: int) -> np.ndarray:
    """The boolean mask (height, width) of polygons or run lengths."""
    return rle.decode(_packed(segmentation, height, width)).astype(bool)


def bounds(segmentation: Segmentation, height: int, width: int) -> Box | None:
    """The smallest box around polygons or run lengths; None if they are empty."""
    if isinstance(segmentation, list):
        xs = [x for part in segmentation for x in part[0::2]]
        ys = [y for part in segmentation for y in part[1::2]]
        return min(xs), min(ys), max(xs), max(ys)
    x, y, w, h = (float(value) for value in rle.toBbox(_packed(segmentation, height, width)))
    return (x, y, x + w, y + h) if w and h else None


def area(segmentation: Segmentation | None, box: Box, height: int, width: int) -> float:
    """Pixels of an instance: of its mask if it has one, of its box otherwise."""
    if segmentation is None:
        return (box[2] - box[0]) * (box[3] - box[1])
    return float(rle.area(_packed(segmentation, height, width)))


def _packed(segmentation: Segmentation, height: int, width: int) -> dict[str, Any]:
    if isinstance(segmentation, list):
        return rle.merge(rle.frPyObjects(segmentation, height, width))
    if isinstance(segmentation["counts"], list):
        return rle.frPyObjects(segmentation, height, width)
    return segmentation


def ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> list[float]:
    """A polygon in place of an ellipse."""
    turns = np.arange(_CIRCLE) * (2 * np.pi / _CIRCLE)
    corners = np.stack([cx + rx * np.cos(turns), cy + ry * np.sin(turns)], axis=1)
    return rotate(corners.ravel().tolist(), (cx, cy), degrees)


def rotate(polygon: Sequence[float], center: tuple[float, float], degrees: float) -> list[float]:
    """A polygon turned clockwise (as seen, with y downwards) around a point."""
    points = np.asarray(polygon, dtype=float).reshape(-1, 2) - center
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turned = points @ np.array([[cos, sin], [-sin, cos]]) + center
    return [float(value) for value in turned.ravel()]
