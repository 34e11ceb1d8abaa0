"""Label maps: a PNG for each image, as MMSegmentation reads them."""

from __future__ import annotations

import base64
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ..issues import raise_data_error
from ..labeled import LabeledImage, LabelSet, mask_of
from .files import file_of, link_images, new_folder, text_file


def write(data: LabelSet, target: Path) -> None:
    """`masks/`, `scores/` (0 ... 255), `classes.txt`, `list.txt`, and a link `images`.

    Masks of objects are drawn over a background, class 0, the smallest on top.
    """
    if len(data.classes) > 254:
        raise_data_error(
            "more classes than a label map of 8 bits has values",
            target,
            found=len(data.classes),
            allowed="up to 254",
            advice="Write COCO",
        )
    drawn = False
    with new_folder(target) as folder:
        link_images(data, folder, "images")
        with text_file(folder / "list.txt") as listed:
            for record in data.records:
                if record.error:
                    continue
                drawn |= record.map is None
                _write(record, folder)
                mask = PurePosixPath(record.name).with_suffix(".png")
                listed(f"images/{record.name} masks/{mask}\n")
        names = ("background", *data.classes) if drawn else data.classes
        (folder / "classes.txt").write_text("".join(f"{n}\n" for n in names), encoding="utf-8")


def _write(record: LabeledImage, folder: Path) -> None:
    mask = file_of(record, folder / "masks", ".png")
    if record.map is None:
        Image.fromarray(_drawn(record)).save(mask)
        return
    mask.write_bytes(base64.b64decode(record.map))
    if record.map_scores is not None:
        scores = file_of(record, folder / "scores", ".png")
        scores.write_bytes(base64.b64decode(record.map_scores))


def _drawn(record: LabeledImage) -> np.ndarray:
    if record.masks is None and record.boxes:
        raise_data_error(
            "boxes as label maps",
            record.name,
            found="objects without masks",
            allowed="a segmentor, or a detector with masks",
            advice="Write coco, voc, yolo, cvat, labelstudio or labelme",
        )
    labels = np.zeros((record.height, record.width), np.uint8)
    masks = [mask_of(runs) for runs in record.masks or ()]
    order = sorted(range(len(masks)), key=lambda place: -int(masks[place].sum()))
    for place in order:
        labels[masks[place]] = record.labels[place] + 1
    return labels
