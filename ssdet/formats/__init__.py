"""Reading what other tools write: one reader for each format, one form in memory for all.

`read(source, format)` is the door. What cannot be used is an `Issue`; see `issues.py`. A reader
turns files into `Annotations`, a writer does the reverse. Not here: data sets that a training
samples from (`ssdet.datasets`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .annotations import Annotations, ImageRecord, Instance, Reading
from .benchmarks import (
    read_ade,
    read_cityscapes,
    read_cityscapes_instances,
    read_voc_masks,
)
from .class_values import class_settings
from .coco import coco_content, read_coco
from .cvat import read_cvat
from .encoding import MaskEncoding, read_classes
from .guessing import Guess, guess
from .huggingface import read_huggingface
from .issues import DataError, Issue, Issues, summary
from .labeled import LabeledImage, LabelSet
from .labelme import read_labelme
from .labelstudio import read_labelstudio
from .masks import components, read_list, read_masks
from .voc import read_voc
from .write import write_coco, write_masks
from .writers import WRITERS, write_labels
from .yolo import read_yolo

__all__ = [
    "FORMATS",
    "WRITERS",
    "Annotations",
    "DataError",
    "Guess",
    "ImageRecord",
    "Instance",
    "Issue",
    "Issues",
    "LabelSet",
    "LabeledImage",
    "MaskEncoding",
    "Reading",
    "class_settings",
    "coco_content",
    "components",
    "examine",
    "guess",
    "read",
    "read_classes",
    "summary",
    "write_coco",
    "write_labels",
    "write_masks",
]

# What a user calls a format: its reader, and what `source` is.
FORMATS: dict[str, tuple[Callable[[Path, Reading], Annotations], str]] = {
    "coco": (read_coco, "a COCO .json file"),
    "voc": (read_voc, "a folder with Annotations/ and JPEGImages/"),
    "yolo": (read_yolo, "a data.yaml or its folder"),
    "labelme": (read_labelme, "a folder of LabelMe .json files"),
    "cvat": (read_cvat, "an annotations.xml of 'CVAT for images 1.1'"),
    "labelstudio": (read_labelstudio, "a .json export of Label Studio"),
    "huggingface": (read_huggingface, "an image folder with metadata.jsonl or metadata.csv"),
    "masks": (read_masks, "a folder with images/ and masks/"),
    "voc-masks": (read_voc_masks, "a folder with JPEGImages/ and SegmentationClass/"),
    "cityscapes": (read_cityscapes, "a folder with leftImg8bit/ and gtFine/"),
    "cityscapes-instances": (read_cityscapes_instances, "a folder with leftImg8bit/ and gtFine/"),
    "ade": (read_ade, "a folder with images/training/ and annotations/training/"),
    "list": (read_list, "a .txt file with lines `image mask` or `image`"),
}


def read(source: str | Path, format: str, *, strict: bool = True, **reading: Any) -> Annotations:
    """Read a data set.

    Args:
        source: See `FORMATS`.
        format: A key of `FORMATS`.
        strict: A record that cannot be used is an error. Otherwise it is left out, counted and
            logged. What makes the whole file doubtful is an error in any case.
        reading: Fields of `Reading`, such as `images` and `split`.
    """
    options = _reading(source, format, reading)
    data = FORMATS[format][0](Path(source), options)
    usable = any(record.instances or record.mask for record in data.records)
    # Where nothing is left, the file was misunderstood: skipping would hide it.
    options.issues.finish(strict=strict or not usable)
    return data


def examine(
    source: str | Path, format: str, **reading: Any
) -> tuple[Annotations | None, list[Issue]]:
    """What can be read, and every issue that was found; nothing is raised for an issue."""
    options = _reading(source, format, reading)
    try:
        return FORMATS[format][0](Path(source), options), options.issues.found
    except DataError as error:
        earlier = [issue for issue in options.issues.found if issue not in error.issues]
        return None, [*earlier, *error.issues]


def _reading(source: str | Path, format: str, options: dict[str, Any]) -> Reading:
    if format not in FORMATS:
        issue = Issue(
            "unknown format", str(source), format, ", ".join(FORMATS), "Choose one of them"
        )
        raise DataError(issue)
    for key in ("images", "masks"):
        if options.get(key) is not None:
            options[key] = Path(options[key])
    options["classes"] = _as_names(options.get("classes") or ())
    return Reading(**options)


def _as_names(classes: str | Sequence[str]) -> tuple[str, ...]:
    return (classes,) if isinstance(classes, str) else tuple(classes)
