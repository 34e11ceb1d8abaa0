"""How often teacher and student are right at each score, as the last validation counted it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..run_files import QUALITY, WORST

LEAST = 5  # predictions in a bin, below which its share says nothing
Points = list[tuple[float, float]]
Counts = dict[str, Any]
Share = tuple[float | None, float | None]  # precision and recall


def read_quality(folder: str | Path, problems: list[str] | None = None) -> Counts | None:
    """`quality.json` of a run folder; None without it. What is broken is told in `problems`."""
    return _read(Path(folder) / QUALITY, _is_whole, problems)


def read_worst(folder: str | Path, problems: list[str] | None = None) -> list[dict[str, Any]]:
    """`pseudo/worst.json` of a run folder: entries with an image, a score and pictures."""
    return _read(Path(folder) / WORST, _are_pictures, problems) or []


def reliability(counts: Counts, bins: int = 10) -> Points:
    """(mean score, share of right predictions), for each bin of scores with enough predictions."""
    proposed, right = _columns(counts["proposed"]), _columns(counts["right"])
    size, points = len(proposed), []
    for number in range(bins):
        part = slice(number * size // bins, (number + 1) * size // bins)
        total = sum(proposed[part])
        if total >= LEAST:
            places = range(size)[part]
            score = sum((n + 0.5) / size * proposed[n] for n in places) / total
            points.append((score, sum(right[part]) / total))
    return points


def precision_recall(counts: Counts) -> Points:
    """(recall, precision) for each threshold, all classes together, from the highest score on."""
    proposed, right = _columns(counts["proposed"]), _columns(counts["right"])
    truth, kept, hits, points = sum(counts["truth"]), 0, 0, []
    for total, good in zip(reversed(proposed), reversed(right), strict=True):
        kept, hits = kept + total, hits + good
        if total and truth:
            points.append((hits / truth, hits / kept))
    return points


def kept(counts: Counts, limits: Sequence[float], *, pixels: bool = False) -> Share:
    """Precision and recall of what these thresholds of the classes keep.

    Boxes count alike; of pixels it is the mean over the classes, or the background would be all.
    """
    rows = []
    for truth, proposed, right, limit in zip(
        counts["truth"], counts["proposed"], counts["right"], limits, strict=True
    ):
        first = round(limit * len(proposed))
        rows.append((sum(right[first:]), sum(proposed[first:]), truth))
    return _share([(hits, all_) for hits, all_, _ in rows], pixels), _share(
        [(hits, truth) for hits, _, truth in rows], pixels
    )


def reaching(counts: Counts, precision: float, *, pixels: bool = False) -> float | None:
    """The lowest threshold from which on this share is right."""
    size = len(counts["proposed"][0])
    for number in range(size):
        found = kept(counts, [number / size] * len(counts["truth"]), pixels=pixels)[0]
        if found is not None and found >= precision:
            return number / size
    return None


def best_threshold(counts: Counts) -> float | None:
    """The threshold with the highest F1, all classes together."""
    size = len(counts["proposed"][0]) if counts["proposed"] else 0
    found = []
    for number in range(size):
        precision, recall = kept(counts, [number / size] * len(counts["truth"]))
        if precision and recall:
            found.append((2 * precision * recall / (precision + recall), number / size))
    return max(found)[1] if found else None


def class_scores(counts: Counts, *, pixels: bool = False) -> list[float | None]:
    """Average precision at an overlap of 50 % (boxes), or IoU, of each class; None without objects.

    The precision at a recall is the highest one at it or beyond, as for the AP of COCO.
    """
    found: list[float | None] = []
    for truth, proposed, right in zip(
        counts["truth"], counts["proposed"], counts["right"], strict=True
    ):
        union = sum(proposed) + truth - sum(right)
        if not truth:
            found.append(None)
        elif pixels:
            found.append(sum(right) / union)
        else:
            points = precision_recall({"truth": [truth], "proposed": [proposed], "right": [right]})
            area, best, end = 0.0, 0.0, points[-1][0] if points else 0.0
            for number in range(len(points) - 1, -1, -1):
                best = max(best, points[number][1])
                start = points[number - 1][0] if number else 0.0
                area, end = area + (end - start) * best, start
            found.append(area)
    return found


def _share(parts: Sequence[tuple[int, int]], pixels: bool) -> float | None:
    known = [(part, whole) for part, whole in parts if whole]
    if not known:
        return None
    if pixels:
        return sum(part / whole for part, whole in known) / len(known)
    return sum(part for part, _ in known) / sum(whole for _, whole in known)


def _columns(rows: Sequence[Sequence[int]]) -> list[int]:
    """The sum over the classes, for each score."""
    return [sum(column) for column in zip(*rows, strict=True)]


def _read(path: Path, whole: Callable[[Any], bool], problems: list[str] | None) -> Any:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        told = "" if whole(content) else "it is not what a validation writes"
    except (OSError, ValueError) as error:
        content, told = None, str(error)
    if told and problems is not None:
        problems.append(f"{path.name}: {told}; it was left out.")
    return None if told else content


def _are_pictures(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(one, dict) and isinstance(one.get("panels"), list) for one in content
    )


def _is_whole(content: Any) -> bool:
    models = content.get("models") if isinstance(content, dict) else None
    if not isinstance(models, dict) or not models:
        return False
    for counts in models.values():
        if not isinstance(counts, dict):
            return False
        tables: list[Any] = [counts.get(key) for key in ("proposed", "right")]
        if not all(
            isinstance(t, list) and t and all(isinstance(r, list) for r in t) for t in tables
        ):
            return False
        if len({len(row) for table in tables for row in table}) != 1:
            return False
        if not isinstance(counts.get("truth"), list):
            return False
    return True
