"""Label Studio: tasks with predictions, which annotators correct."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from ..labeled import LabeledImage, LabelSet, mask_of
from .files import text_file

LOCAL = "/data/local-files/?d="  # a server with local files switched on, its root at the images
BOX, BRUSH = ("label", "rectanglelabels"), ("brush", "brushlabels")
# Bits of the lengths of runs, as its own codec chooses them.
_SIZES = (3, 4, 8, 16)


def write(data: LabelSet, target: Path, *, image_url: str = "") -> None:
    """A list of tasks, and in `NAME.config.xml` the labeling interface that they are for.

    Args:
        image_url: Start of the addresses of the images; default: local files of the server, or
            the address that the images were read from.
    """
    prefix = image_url or (f"{data.images.rstrip('/')}/" if "://" in data.images else LOCAL)
    has_masks = False
    with text_file(target) as out:
        out("[")
        comma = "\n"
        for number, record in data.numbered():
            if record.error:
                continue
            whole = record.regions()
            has_masks |= whole.masks is not None
            out(comma + json.dumps(_task(whole, number, data, prefix), allow_nan=False))
            comma = ",\n"
        out("\n]\n")
    with text_file(target.with_suffix(".config.xml")) as out:
        out(_interface(data.classes, has_masks))


def _task(record: LabeledImage, number: int, data: LabelSet, prefix: str) -> dict[str, Any]:
    regions = [_region(record, place, number, data.classes) for place in range(len(record.boxes))]
    mean = sum(record.scores) / len(record.scores) if record.scores else 0.0
    prediction = {"model_version": data.model, "score": round(mean, 6), "result": regions}
    return {
        "data": {"image": prefix + quote(record.name, safe="/")},
        "predictions": [prediction],
    }


def _region(
    record: LabeledImage, place: int, number: int, classes: tuple[str, ...]
) -> dict[str, Any]:
    name, kind = BOX if record.masks is None else BRUSH
    if record.masks is None:
        x1, y1, x2, y2 = record.boxes[place]
        across, down = 100 / record.width, 100 / record.height
        edges = (x1 * across, y1 * down, (x2 - x1) * across, (y2 - y1) * down)
        places = (round(edge, 7) for edge in edges)
        value: dict[str, Any] = dict(zip(("x", "y", "width", "height"), places, strict=True))
        value["rotation"] = 0
    else:
        value = {"format": "rle", "rle": brush(mask_of(record.masks[place]))}
    return {
        "id": f"{number}-{place}",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "original_width": record.width,
        "original_height": record.height,
        "image_rotation": 0,
        "score": record.scores[place],
        "value": {**value, kind: [classes[record.labels[place]]]},
    }


def _interface(classes: tuple[str, ...], has_masks: bool) -> str:
    name, tag = (BRUSH[0], "BrushLabels") if has_masks else (BOX[0], "RectangleLabels")
    labels = "".join(f"    <Label value={quoteattr(one)}/>\n" for one in classes)
    return (
        f'<View>\n  <Image name="image" value="$image"/>\n  <{tag} name="{name}" '
        f'toName="image">\n{labels}  </{tag}>\n</View>\n'
    )


def brush(mask: np.ndarray) -> list[int]:
    """A mask in the run lengths of Label Studio: a stream of bits over RGBA values, 4 a pixel."""
    flat = np.asarray(mask, bool).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [flat.size]])) * 4
    bits = [f"{4 * flat.size:032b}{7:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        value = 255 if flat[start] else 0
        while length:
            part = min(length, 1 << _SIZES[-1])
            bits.append(_run(part, value))
            length -= part
    stream = "".join(bits)
    stream += "0" * (8 - len(stream) % 8)  # a whole byte more where none is needed, as it does
    return [int(stream[at : at + 8], 2) for at in range(0, len(stream), 8)]


def _run(length: int, value: int) -> str:
    """A run of one value; alone, a value is written as a list of one."""
    index = next(i for i, size in enumerate(_SIZES) if length <= 1 << size)
    return f"1{index:02b}{length - 1:0{_SIZES[index]}b}{value:08b}"
