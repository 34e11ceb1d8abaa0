"""YOLO: one text file for each image, in fractions of its sides."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..labeled import LabeledImage, LabelSet
from .files import boxes_only, file_of, link_images, new_folder


def write(data: LabelSet, target: Path) -> None:
    """`data.yaml`, `labels/`, a link `images`, and the scores line by line in `scores/`.

    A sixth number in a line would be the score, but trainings refuse such files. Masks are not
    written.
    """
    with new_folder(target) as folder:
        link_images(data, folder, "images")
        names = dict(enumerate(data.classes))
        content = {"path": ".", "train": "images", "val": "images", "names": names}
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        (folder / "data.yaml").write_text(text, encoding="utf-8")
        for record in data.records:
            if record.error:
                continue
            boxes_only(record, "yolo")
            file_of(record, folder / "labels", ".txt").write_text(_lines(record))
            scores = "".join(f"{score:.6f}\n" for score in record.scores)
            file_of(record, folder / "scores", ".txt").write_text(scores)


def _lines(record: LabeledImage) -> str:
    lines = []
    for (x1, y1, x2, y2), label in zip(record.boxes, record.labels, strict=True):
        across, down = (x1 + x2) / 2 / record.width, (y1 + y2) / 2 / record.height
        width, height = (x2 - x1) / record.width, (y2 - y1) / record.height
        lines.append(f"{label} {across:.7f} {down:.7f} {width:.7f} {height:.7f}\n")
    return "".join(lines)
