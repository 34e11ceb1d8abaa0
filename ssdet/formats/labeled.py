"""Labels that a model gave to an image: what every writer of labels takes."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from ..labels import IGNORE
from .annotations import Box
from .segments import decode, encode

Runs = dict[str, Any]  # a mask as COCO's run lengths
THINNEST = 1e-3  # pixels; a box of less has no area once it is written


@dataclass
class LabeledImage:
    """An image with the labels of a model.

    Attributes:
        name: Path below the folder of the images, with forward slashes.
        width, height: As the image is shown: its orientation (EXIF) is applied.
        boxes: (x1, y1, x2, y2) in pixels; the right and lower edges lie outside.
        labels, scores: Of the boxes; a label is a position in the list of classes.
        masks: Run lengths of each box; None for a model without masks.
        map: Label map as a PNG in base64 text, where 255 is unknown.
        map_scores: Scores of its pixels, likewise, 0 ... 255 for 0 ... 1.
        error: Why there are no labels; empty where all went well.
        id: What the source calls the image.
    """

    name: str
    width: int = 0
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    masks: list[Runs] | None = None
    map: str | None = None
    map_scores: str | None = None
    error: str = ""
    id: int | str | None = None

    def line(self) -> str:
        """One line of JSON; what is not there is left out."""
        return json.dumps({k: v for k, v in vars(self).items() if v not in (None, "")},
                          allow_nan=False, separators=(",", ":"))  # fmt: skip

    @classmethod
    def of_line(cls, text: str) -> LabeledImage:
        """The image of a line; raises `ValueError` or `TypeError` for anything else."""
        return cls(**json.loads(text))

    def label_map(self) -> np.ndarray | None:
        """The label map (height, width), uint8."""
        return None if self.map is None else unpack_map(self.map)

    def regions(self) -> LabeledImage:
        """The label map as one object for each class that occurs, with its mean score."""
        labels = self.label_map()
        if labels is None:
            return self
        scores = None if self.map_scores is None else unpack_map(self.map_scores)
        found = [int(label) for label in np.unique(labels) if label != IGNORE]
        boxes, means, masks = [], [], []
        for label in found:
            inside = labels == label
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            edges = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            boxes.append(tuple(float(edge) for edge in edges))
            means.append(1.0 if scores is None else round(float(scores[inside].mean()) / 255, 6))
            masks.append(encode(inside))
        return LabeledImage(
            self.name, self.width, self.height, boxes, found, means, masks, id=self.id  # type: ignore[arg-type]
        )  # fmt: skip


@dataclass
class LabelSet:
    """The labels of many images, on their way into files.

    Attributes:
        images: Folder or address that the names are relative to.
        classes: Labels are positions in it.
        records: Can be gone through several times; only one image is in memory at a time.
        model: What gave the labels, in a few words.
        category_ids: What a COCO file calls the classes; empty: 1, 2, ...
    """

    images: str
    classes: tuple[str, ...]
    records: Iterable[LabeledImage]
    model: str = "ssdet"
    category_ids: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """The numbers of the classes in a COCO file."""
        return self.category_ids or tuple(range(1, len(self.classes) + 1))

    def numbered(self) -> Iterable[tuple[int, LabeledImage]]:
        """Each image with its number: that of the source, or its place, from 1."""
        for place, record in enumerate(self.records, start=1):
            yield (record.id if isinstance(record.id, int) else place), record


def objects(
    size: tuple[int, int],
    boxes: Iterable[Sequence[float]],
    labels: Iterable[int],
    scores: Iterable[float],
    masks: Sequence[Runs] | None = None,
) -> dict[str, Any]:
    """The objects of an image of (width, height) as fields of `LabeledImage`.

    Boxes are clipped to the image; what is left without area vanishes. The best come first, ties
    by class and place, so that two runs write the same bytes. A number that is not finite is a
    `ValueError`.
    """
    width, height = size
    rows = []
    for place, (box, label, score) in enumerate(zip(boxes, labels, scores, strict=True)):
        if not (math.isfinite(sum(box)) and math.isfinite(score)):
            raise ValueError(f"the model gave the box {tuple(box)} the score {score}")
        x1, y1, x2, y2 = (
            round(min(max(float(edge), 0.0), limit), 3)
            for edge, limit in zip(box, (width, height) * 2, strict=True)
        )
        if x2 - x1 >= THINNEST and y2 - y1 >= THINNEST:
            sure = round(min(max(float(score), 0.0), 1.0), 6)
            rows.append((-sure, int(label), (x1, y1, x2, y2), place))
    rows.sort()
    found: dict[str, Any] = {
        "boxes": [box for _, _, box, _ in rows],
        "labels": [label for _, label, _, _ in rows],
        "scores": [-score for score, *_ in rows],
    }
    if masks is not None:
        found["masks"] = [masks[place] for *_, place in rows]
    return found


def mask_of(runs: Runs) -> np.ndarray:
    """The boolean mask of run lengths."""
    height, width = runs["size"]
    return decode(runs, height, width)


def pack_map(values: np.ndarray) -> str:
    """A map of bytes as a PNG in base64 text."""
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(file, "PNG", compress_level=3)
    return base64.b64encode(file.getvalue()).decode()


def unpack_map(text: str) -> np.ndarray:
    """The values of a PNG in base64 text."""
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image)
