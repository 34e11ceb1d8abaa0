"""LabelMe: one json file for each image."""

from __future__ import annotations

import base64
import io
import json
import posixpath
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from ..labeled import LabeledImage, LabelSet, mask_of
from .cvat import window
from .files import file_of, link_images, new_folder

LINK = "images"


def write(data: LabelSet, target: Path) -> None:
    """A folder of json files, and a link `images`; `score` of a shape survives an edit."""
    with new_folder(target) as folder:
        link_images(data, folder, LINK)
        for record in data.records:
            if not record.error:
                path = file_of(record, folder, ".json")
                path.write_text(json.dumps(_content(record, data.classes)), encoding="utf-8")


def _content(record: LabeledImage, classes: tuple[str, ...]) -> dict[str, Any]:
    whole = record.regions()
    here = PurePosixPath(record.name).parent
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [_shape(whole, place, classes) for place in range(len(whole.boxes))],
        "imagePath": posixpath.relpath(f"{LINK}/{record.name}", str(here)),
        "imageData": None,
        "imageHeight": record.height,
        "imageWidth": record.width,
    }


def _shape(record: LabeledImage, place: int, classes: tuple[str, ...]) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "label": classes[record.labels[place]],
        "group_id": None,
        "flags": {},
        "description": "",
        "score": record.scores[place],
        "mask": None,
    }
    x1, y1, x2, y2 = record.boxes[place]
    if record.masks is None:
        return shape | {"shape_type": "rectangle", "points": [[x1, y1], [x2, y2]]}
    left, top, part = window(mask_of(record.masks[place]))
    height, width = part.shape
    corners = [[left, top], [left + width, top + height]]
    return shape | {"shape_type": "mask", "points": corners, "mask": _png(part)}


def _png(part: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(part.astype(np.uint8) * 255).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
