"""Writing labels of a model, image by image: one writer for each format.

`write_labels` is the door. A writer goes through a `LabelSet` and keeps one image in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..labeled import LabelSet
from ..write import may_write
from . import coco, cvat, labelme, labelstudio, masks, voc, yolo

# What a user calls a format: its writer, and what `target` is.
WRITERS: dict[str, tuple[Callable[..., None], str]] = {
    "coco": (coco.write, "a .json file"),
    "coco-results": (coco.write_results, "a .json file"),
    "voc": (voc.write, "a folder"),
    "yolo": (yolo.write, "a folder"),
    "cvat": (cvat.write, "an .xml file"),
    "labelstudio": (labelstudio.write, "a .json file"),
    "labelme": (labelme.write, "a folder"),
    "masks": (masks.write, "a folder"),
}


def write_labels(
    data: LabelSet, target: Path, format: str, *, force: bool = False, **options: Any
) -> None:
    """Write the labels of many images; what is written is whole or absent.

    Args:
        data: The labels, which are gone through once or twice.
        target: A file or a folder; see `WRITERS`.
        format: A key of `WRITERS`.
        force: Replace what is there.
        options: Of the writer, such as `image_url` of Label Studio.
    """
    may_write(target, force=force)
    WRITERS[format][0](data, target, **options)
