"""COCO: a data set with scores, or a list of results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pycocotools import mask as rle

from ..labeled import LabelSet
from .files import text_file

_json = json.JSONEncoder(allow_nan=False).encode  # `json.dumps` would build one for each box


def write(data: LabelSet, target: Path) -> None:
    """A data set: `images`, `annotations` with their `score`, `categories`.

    An image that could not be read is not one of them, since a training would stop there; it is
    named under `ssdet.errors`, which other tools do not look at.
    """
    with text_file(target) as out:
        out(f'{{"info": {_json({"description": data.model})}, "licenses": [],\n"images": [')
        _list(out, _images(data))
        out('],\n"annotations": [')
        _list(out, _annotations(data))
        out(f'],\n"categories": {_json(_categories(data))},\n"ssdet": {{"errors": [')
        errors = ((r.name, r.error) for r in data.records if r.error)
        _list(out, ({"file_name": name, "error": error} for name, error in errors))
        out("]}}\n")


def write_results(data: LabelSet, target: Path) -> None:
    """The list that `COCO.loadRes` reads, and in `NAME.images.json` the images it is about."""
    with text_file(target) as out:
        out("[")
        _list(out, _results(data))
        out("]\n")
    with text_file(target.with_suffix(".images.json")) as out:
        out('{"images": [')
        _list(out, _images(data))
        out(f'],\n"annotations": [],\n"categories": {_json(_categories(data))}}}\n')


def _list(out: Any, entries: Iterable[Any]) -> None:
    comma = "\n"
    for entry in entries:
        out(comma + _json(entry))
        comma = ",\n"


def _images(data: LabelSet) -> Iterator[dict[str, Any]]:
    for number, record in data.numbered():
        if not record.error:
            size = {"width": record.width, "height": record.height}
            yield {"id": number, "file_name": record.name, **size}


def _annotations(data: LabelSet) -> Iterator[dict[str, Any]]:
    for count, entry in enumerate(_results(data), start=1):
        runs = entry.get("segmentation")
        area = entry["bbox"][2] * entry["bbox"][3] if runs is None else float(rle.area(runs))
        yield {"id": count, **entry, "area": round(area, 3), "iscrowd": 0}


def _results(data: LabelSet) -> Iterator[dict[str, Any]]:
    for number, record in data.numbered():
        whole = record.regions()
        for place, (x1, y1, x2, y2) in enumerate(whole.boxes):
            entry: dict[str, Any] = {
                "image_id": number,
                "category_id": data.ids[whole.labels[place]],
                "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
                "score": whole.scores[place],
            }
            if whole.masks is not None:
                entry["segmentation"] = whole.masks[place]
            yield entry


def _categories(data: LabelSet) -> list[dict[str, Any]]:
    pairs = zip(data.ids, data.classes, strict=True)
    return [{"id": number, "name": name, "supercategory": ""} for number, name in pairs]
