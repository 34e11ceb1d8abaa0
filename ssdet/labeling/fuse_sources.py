"""Boxes of whole data sets in flat arrays: those of ten million objects fit in memory."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..formats import Reading, guess, read
from ..formats.annotations import ImageRecord, Instance, number
from ..formats.coco import CocoParts, open_coco, size_of
from ..formats.issues import raise_data_error
from ..formats.options import option

Size = tuple[int, int]


@dataclass
class BoxSource:
    """What one source says: of each image a stretch of the arrays.

    Attributes:
        name: Of the file.
        classes: Names; `labels` are positions in it.
        rows: Number of each image, by its name.
        sizes: (width, height) of the images, in this order.
        starts: Where the boxes of an image begin (one more than there are images).
        corners, labels, scores: Of the boxes, image by image.
        outlines: Polygons or run lengths, where the source has any.
        exhaustive: Of each image, as of an `ImageRecord`; empty: everything is labeled.
    """

    name: str
    classes: tuple[str, ...]
    rows: dict[str, int]
    sizes: list[Size]
    starts: np.ndarray
    corners: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    outlines: dict[int, Any] = field(default_factory=dict)
    exhaustive: list[tuple[int, ...] | None] = field(default_factory=list)

    def of(self, image: str) -> slice | None:
        """The boxes of an image; None where the source does not have it."""
        row = self.rows.get(image)
        return None if row is None else slice(int(self.starts[row]), int(self.starts[row + 1]))

    def exhaustive_in(self, image: str) -> tuple[int, ...] | None:
        """The classes all of whose objects are labeled in an image; None: all classes."""
        return self.exhaustive[self.rows[image]] if self.exhaustive else None

    def __len__(self) -> int:
        return len(self.labels)


def read_source(path: Path, like: Path | None = None, *, strict: bool = False) -> BoxSource:
    """The boxes of a data set in any format, or of a list of COCO results.

    Args:
        path: File or folder.
        like: The COCO file that a list of results belongs to: its images and categories. None:
            `NAME.images.json` beside it.
        strict: A record that cannot be used is an error.
    """
    if not path.exists():
        raise_data_error(
            "missing file", path, found=f"nothing in {Path.cwd()}",
            allowed="a data set with boxes, or COCO results", advice="Check the path",
        )  # fmt: skip
    if path.is_file() and _begins_a_list(path):
        return _results(path, like)
    found = guess(path, "detection")
    if found.format == "coco":
        reading = Reading()
        parts = CocoParts(open_coco(found.source), found.source, reading)
        sizes = [(r.width or 0, r.height or 0) for r in parts.records]
        source = _gather(str(path), parts.classes, parts.records, sizes, _pairs(parts))
        parts.gaps.finish(parts.records)
        if any(record.exhaustive is not None for record in parts.records):
            source.exhaustive = [record.exhaustive for record in parts.records]
        reading.issues.finish(strict=strict or not len(source))
        return source
    data = read(found.source, found.format, strict=strict, **found.reading)
    pairs = ((record, instance) for record in data.records for instance in record.instances)
    sizes = [size_of(data, record) for record in data.records]
    return _gather(str(path), data.classes, data.records, sizes, pairs)


def _pairs(parts: CocoParts) -> Iterator[tuple[ImageRecord, Instance]]:
    """The boxes; where LVIS's lists speak of an image, they stay with it to be looked at."""
    for record, instance in parts:
        if record.id in parts.gaps.open:
            record.instances.append(instance)
        yield record, instance


def _gather(
    name: str,
    classes: tuple[str, ...],
    records: list[ImageRecord],
    sizes: list[Size],
    pairs: Iterable[tuple[ImageRecord, Instance]],
) -> BoxSource:
    """Arrays of the instances that count, sorted by image."""
    rows = {record.name: row for row, record in enumerate(records)}
    numbers = {id(record): row for row, record in enumerate(records)}
    images, corners, labels, scores = array("q"), array("f"), array("i"), array("f")
    outlines: dict[int, Any] = {}
    for record, instance in pairs:
        if instance.ignored:
            continue
        if instance.segmentation is not None:
            outlines[len(labels)] = instance.segmentation
        images.append(numbers[id(record)])
        corners.extend(instance.box)
        labels.append(instance.label)
        scores.append(1.0 if instance.score is None else instance.score)
    order = np.argsort(np.frombuffer(images, np.int64), kind="stable")
    counts = np.bincount(np.frombuffer(images, np.int64), minlength=len(records))
    place = {int(old): new for new, old in enumerate(order)} if outlines else {}
    return BoxSource(
        name, classes, rows, sizes, np.concatenate([[0], counts.cumsum()]),
        np.frombuffer(corners, np.float32).reshape(-1, 4)[order],
        np.frombuffer(labels, np.int32)[order].astype(np.int64),
        np.frombuffer(scores, np.float32)[order],
        {place[old]: outline for old, outline in outlines.items()},
    )  # fmt: skip


def _begins_a_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _results(path: Path, like: Path | None) -> BoxSource:
    beside = path.with_suffix(".images.json")
    like = like or (beside if beside.is_file() else None)
    if like is None:
        raise_data_error(
            "COCO results without their images", path, found="a list of boxes",
            allowed="the file with the images and categories of these ids",
            advice=f"Name it with {option('like', metavar='FILE')}",
        )  # fmt: skip
    parts = CocoParts(open_coco(like), like, Reading(outlines=False))
    by_id = {record.id: record for record in parts.records}
    sizes = [(r.width or 0, r.height or 0) for r in parts.records]
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise_data_error(
            "not a usable JSON file", path, found=str(error), allowed="a list of COCO results",
            advice="Write it again",
        )  # fmt: skip
    pairs = _checked(entries, by_id, parts.labels, path)
    return _gather(str(path), parts.classes, parts.records, sizes, pairs)


def _checked(
    entries: list[Any], records: dict[Any, ImageRecord], labels: dict[int, int], path: Path
) -> Iterator[tuple[ImageRecord, Instance]]:
    for position, entry in enumerate(entries):
        entry = entry if isinstance(entry, dict) else {}
        record, box = records.get(entry.get("image_id")), entry.get("bbox")
        label, score = labels.get(entry.get("category_id", -1)), number(entry.get("score"))
        values = [number(one) for one in box] if isinstance(box, list) else []
        numbers = [value for value in values if value is not None]
        fits = score is not None and 0 <= score <= 1 and len(values) == len(numbers) == 4
        if record is None or label is None or not fits:
            raise_data_error(
                "result that cannot be used", f"{path}, [{position}]", found=entry,
                allowed="image_id and category_id of the file, bbox [x, y, width, height], score "
                "0 ... 1",
                advice=f"Is it of another file than {option('like', metavar='FILE')}?",
            )  # fmt: skip
        x, y, width, height = numbers
        outline = entry.get("segmentation")
        yield record, Instance(label, (x, y, x + width, y + height), outline, score=score)
