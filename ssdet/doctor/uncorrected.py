"""What MMDetection's `CocoDataset`, which corrects nothing, does with records of a COCO file."""

import codecs
from pathlib import Path
from typing import Any

from ..formats.annotations import number
from .findings import Findings


def as_mmdetection_reads(findings: Findings, record: Any, where: str) -> None:
    """What MMDetection's `CocoDataset` does with a record that our readers accept."""
    if not isinstance(record, dict):
        return
    area, bbox = record.get("area"), record.get("bbox")
    if number(area) is None:
        findings.add(
            "error", "annotations", "annotation without an area", where, found=f"area {area!r}",
            allowed="a number above 0",
            advice="CocoDataset needs it: `ssdet convert coco` writes it, LabeledImages does "
            "without",
        )  # fmt: skip
    elif (number(area) or 0) <= 0:
        findings.add(
            "warning", "annotations", "annotation with area 0", where, found=f"area {area!r}",
            allowed="a number above 0", advice="CocoDataset drops the object silently",
        )  # fmt: skip
    sides = [number(side) for side in bbox[2:4]] if isinstance(bbox, list) else []
    if any(side is not None and 0 < side < 1 for side in sides):
        findings.add(
            "warning", "annotations", "box under one pixel", where, found=f"bbox {bbox!r}",
            allowed="sides of 1 pixel and more",
            advice="CocoDataset drops the object silently: correct or remove it",
        )  # fmt: skip


def check_mark(path: Path, findings: Findings) -> None:
    """pycocotools cannot read a file that starts as some editors of Windows write it."""
    with path.open("rb") as file:
        start = file.read(len(codecs.BOM_UTF8))
    if start == codecs.BOM_UTF8:
        findings.add(
            "error", "annotations", "byte order mark", path, found="ef bb bf at its start",
            allowed="UTF-8 without them", advice="CocoDataset cannot read it: save the file as "
            "UTF-8 without BOM, or use LabeledImages, which does",
        )  # fmt: skip
