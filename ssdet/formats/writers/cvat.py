"""CVAT for images 1.1: one xml file, to be uploaded as the annotations of a task."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..labeled import LabeledImage, LabelSet, mask_of
from .files import text_file

# CVAT looks for an image by its name, then takes `id` for the number of a frame: a number that no
# task has makes a wrong name an error, not labels on another image.
FIRST_ID = 10**9
_SCORE = (
    "<attributes><attribute><name>score</name><mutable>False</mutable><input_type>number"
    "</input_type><default_value>0</default_value><values>0;1;0.01</values></attribute>"
    "</attributes>"
)


def write(data: LabelSet, target: Path) -> None:
    """Boxes, or masks where there are any, each with the attribute `score`.

    The labels of the task must have these names, and a number `score`, before the upload.
    """
    with text_file(target) as out:
        out('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        out("<meta><task><labels>\n")
        for name in data.classes:
            out(f"<label><name>{escape(name)}</name>{_SCORE}</label>\n")
        out("</labels></task></meta>\n")
        for place, record in enumerate(data.records):
            if not record.error:
                out(_image(record, FIRST_ID + place, data.classes))
        out("</annotations>\n")


def _image(record: LabeledImage, number: int, classes: tuple[str, ...]) -> str:
    whole = record.regions()
    parts = [
        f'<image id="{number}" name={quoteattr(record.name)} width="{record.width}" '
        f'height="{record.height}">\n'
    ]
    for place, (label, score) in enumerate(zip(whole.labels, whole.scores, strict=True)):
        kind, shape = _shape(whole, place)
        parts.append(
            f'<{kind} label={quoteattr(classes[label])} source="auto" occluded="0" {shape} '
            f'z_order="0"><attribute name="score">{score:g}</attribute></{kind}>\n'
        )
    return "".join([*parts, "</image>\n"])


def _shape(record: LabeledImage, place: int) -> tuple[str, str]:
    if record.masks is None:
        x1, y1, x2, y2 = record.boxes[place]
        return "box", f'xtl="{x1:.3f}" ytl="{y1:.3f}" xbr="{x2:.3f}" ybr="{y2:.3f}"'
    left, top, part = window(mask_of(record.masks[place]))
    runs = ", ".join(map(str, row_runs(part)))
    height, width = part.shape
    return "mask", f'rle="{runs}" left="{left}" top="{top}" width="{width}" height="{height}"'


def window(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """(left, top) and the smallest part of a mask that holds all of it; one pixel where empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, mask[:1, :1]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return int(left), int(top), mask[top:bottom, left:right]


def row_runs(mask: np.ndarray) -> list[int]:
    """Lengths of runs, row by row, beginning with background."""
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs
