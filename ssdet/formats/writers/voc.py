"""PASCAL VOC: one xml file for each image, in whole pixels counted from 1."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

from ..labeled import LabeledImage, LabelSet
from .files import boxes_only, file_of, link_images, new_folder, text_file

SPLIT = "labeled"


def write(data: LabelSet, target: Path) -> None:
    """`Annotations/`, the list `ImageSets/Main/labeled.txt`, and a link `JPEGImages`.

    The score stands in `<score>`, which readers that do not know it pass over. Masks are not
    written.
    """
    with new_folder(target) as folder, text_file(folder / f"ImageSets/Main/{SPLIT}.txt") as listed:
        (folder / "Annotations").mkdir()
        link_images(data, folder, "JPEGImages")
        for record in data.records:
            if record.error:
                continue
            boxes_only(record, "voc")
            path = file_of(record, folder / "Annotations", ".xml")
            path.write_text(_text(record, data.classes), encoding="utf-8")
            listed(f"{PurePosixPath(record.name).with_suffix('')}\n")


def _text(record: LabeledImage, classes: tuple[str, ...]) -> str:
    name = PurePosixPath(record.name)
    parts = [
        f"<annotation>\n<folder>{escape(str(name.parent))}</folder>\n"
        f"<filename>{escape(name.name)}</filename>\n"
        f"<size><width>{record.width}</width><height>{record.height}</height><depth>3</depth>"
        "</size>\n<segmented>0</segmented>\n"
    ]
    for box, label, score in zip(record.boxes, record.labels, record.scores, strict=True):
        left, top, right, bottom = map(round, box)
        # A box of less than a pixel is one pixel.
        left, top = min(left, record.width - 1), min(top, record.height - 1)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        parts.append(
            f"<object><name>{escape(classes[label])}</name><pose>Unspecified</pose>"
            f"<truncated>0</truncated><difficult>0</difficult><bndbox><xmin>{left + 1}</xmin>"
            f"<ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>"
            f"<score>{score:g}</score></object>\n"
        )
    return "".join([*parts, "</annotation>\n"])
