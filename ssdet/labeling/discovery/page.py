"""The files of a discovery: a page with pictures as evidence, and the candidates as a COCO file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import TRANSFORMS, DefaultScope

from ...engine.checkpoint_file import write_text
from ...formats.labeled import LabeledImage, LabelSet, objects
from ...formats.writers import write_labels
from ...hooks._parts.drawing import BoxGroup, draw_boxes, jpeg
from ...report.html import data_uri, fill
from ..audit.images import as_picture
from .classes import Candidate, Discovery
from .objects import Object

PAGE, LABELS = "candidates.html", "candidates.json"
SHOWN, SIZE, CONTEXT = 8, 220, 0.6  # pictures of a candidate; pixels; what is around a box
COLOR = (255, 159, 28)


def write_discovery(result: Discovery, out: str | Path, *, force: bool = False) -> Path:
    """Write the page and the COCO file; returns the page."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    labels = label_set(result)
    write_labels(labels, folder / LABELS, "coco", force=force)
    cards = [_card(number, one, result) for number, one in enumerate(result.candidates, 1)]
    page = fill(
        "candidates.html.j2",
        "ssdet.labeling.discovery",
        "ssdet.labeling.audit",
        result=result,
        cards=cards,
        labels=LABELS,
        network=result.network.name,
    )
    write_text(page, folder / PAGE)
    return folder / PAGE


def name(number: int) -> str:
    """What a candidate is called until a person names it."""
    return f"new {number}"


def label_set(result: Discovery) -> LabelSet:
    """The objects of all candidates; classes are numbered after the known ones."""
    count, first = len(result.candidates), len(result.network.classes) + 1
    return LabelSet(
        result.source.root,
        tuple(name(number) for number in range(1, count + 1)),
        list(_records(result)),
        model=f"candidates of {result.network.name}",
        category_ids=tuple(range(first, first + count)),
    )


def _records(result: Discovery) -> Iterator[LabeledImage]:
    by_place: dict[int, list[tuple[int, Object]]] = {}
    for label, candidate in enumerate(result.candidates):
        for one in candidate.objects:
            by_place.setdefault(one.place, []).append((label, one))
    for _, found in sorted(by_place.items()):
        image = found[0][1].image
        fields = objects(
            (image.width, image.height),
            [one.box for _, one in found],
            [label for label, _ in found],
            [one.score for _, one in found],
        )
        yield replace(image, **fields)


def _card(number: int, candidate: Candidate, result: Discovery) -> dict[str, Any]:
    shots = [
        {"picture": _picture(one, result), "name": one.image.name, "score": f"{one.score:.2f}"}
        for one in candidate.objects[:SHOWN]
    ]
    return {"name": name(number), "candidate": candidate, "shots": shots}


def _picture(one: Object, result: Discovery) -> str:
    """What is at the object, and around it."""
    step = result.network.pipeline()[0]
    with DefaultScope.overwrite_default_scope(result.network.config.get("default_scope", "mmdet")):
        loaded = TRANSFORMS.build(step)({"img_path": result.source.address(one.place)})
    picture = as_picture(loaded["img"])[..., ::-1]
    box = np.array(one.box)
    sides = (box[2:] - box[:2]) * CONTEXT
    limit = np.array([picture.shape[1], picture.shape[0]])
    left, top = np.floor((box[:2] - sides).clip(0, limit - 1)).astype(int)
    right, bottom = np.ceil((box[2:] + sides).clip(1, limit)).astype(int)
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    place = (box - np.array([left, top, left, top]))[None]
    drawn = draw_boxes(part, [BoxGroup("kept", place, colors=[COLOR])], SIZE)
    return data_uri(jpeg(drawn), "image/jpeg")
