"""Writing what MMDetection and MMSegmentation read: COCO json, and label maps with a list."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..labels import IGNORE
from .annotations import Annotations, ImageRecord
from .coco import coco_content, size_of
from .issues import DataError, Issue, raise_data_error
from .segments import decode

_PROPORTIONS = 0.02  # by which width : height may differ: sides are whole numbers


def write_coco(data: Annotations, path: Path, *, force: bool = False) -> Path:
    """Write a COCO file; an existing one is kept unless `force`."""
    return write_text(path, json.dumps(coco_content(data)), force=force)


def write_masks(
    data: Annotations,
    folder: Path,
    *,
    suffix: str = ".png",
    fit: bool = False,
    force: bool = False,
) -> list[tuple[ImageRecord, Path]]:
    """Write one palette PNG for each image, as `folder/NAME_OF_IMAGE.png`; return their paths.

    The part of names that is the folder of all images is left out. Instances become label maps with
    the background as class 0, the smallest on top; crowds and difficult objects are ignored pixels.
    `classes.txt` holds the names in the order of the labels. With `fit`, label maps that are only
    smaller or larger than their images are scaled to them.
    """
    from_instances = data.encoding is None
    classes = ("background", *data.classes) if from_instances else data.classes
    names, text = folder / "classes.txt", "".join(f"{name}\n" for name in classes)
    if not names.is_file() or names.read_text(encoding="utf-8") != text:
        write_text(names, text, force=force)
    palette = [value for color in _palette() for value in color]
    written = []
    for record in data.records:
        labels = _drawn(data, record) if from_instances else _decoded(data, record)
        labels = _fitted(labels, record, size_of(data, record)) if fit else labels
        target = folder / Path(record.name).relative_to(data.prefix)
        target = target.with_name(target.stem.removesuffix("_leftImg8bit") + suffix)
        may_write(target, force=force)
        image = Image.fromarray(labels)
        image.putpalette(palette)
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(target)
        written.append((record, target))
    return written


def write_text(path: Path, text: str, *, force: bool = False) -> Path:
    """Write a file whole or not at all."""
    may_write(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def may_write(path: Path, *, force: bool) -> None:
    """Refuse to overwrite unless `force`."""
    if path.exists() and not force:
        raise_data_error(
            "file exists",
            path,
            found=f"{path.stat().st_size} bytes",
            allowed="a new file",
            advice="Choose another --out, or overwrite it with --force",
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _decoded(data: Annotations, record: ImageRecord) -> np.ndarray:
    if record.mask is None or data.encoding is None:
        raise_data_error(
            "image without its label map",
            record.where,
            found="none",
            allowed="a label map",
            advice="Leave the image out",
        )
    return data.encoding.decode(record.mask)


def _fitted(labels: np.ndarray, record: ImageRecord, size: tuple[int, int]) -> np.ndarray:
    """A label map in the size of its image; one of other proportions shows something else."""
    height, width = labels.shape
    if (width, height) == size:
        return labels
    if abs(width * size[1] / (height * size[0]) - 1) > _PROPORTIONS:
        raise_data_error(
            "label map of other proportions than its image",
            record.mask or record.where,
            found=f"{width}x{height}",
            allowed=f"those of {size[0]}x{size[1]}",
            advice="Export it again; was the image rotated or cropped?",
        )
    return np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))


def _drawn(data: Annotations, record: ImageRecord) -> np.ndarray:
    width, height = size_of(data, record)
    labels = np.zeros((height, width), dtype=np.uint8)
    drawn = []
    for instance in record.instances:
        if instance.segmentation is None and not instance.ignored:
            raise DataError(
                Issue(
                    "object without an outline",
                    record.where or record.name,
                    f"a box of class {data.classes[instance.label]!r}",
                    "polygons or masks",
                    "Boxes cannot become label maps; a detector can learn them as COCO json",
                )
            )
        mask = _region(instance.segmentation, instance.box, height, width)
        drawn.append((int(mask.sum()), IGNORE if instance.ignored else instance.label + 1, mask))
    for _, label, mask in sorted(drawn, key=lambda entry: -entry[0]):
        labels[mask] = label
    return labels


def _region(segmentation: object, box: Sequence[float], height: int, width: int) -> np.ndarray:
    if segmentation is not None:
        return decode(segmentation, height, width)  # type: ignore[arg-type]
    mask = np.zeros((height, width), dtype=bool)
    x1, y1, x2, y2 = (round(edge) for edge in box)
    mask[y1:y2, x1:x2] = True
    return mask


def _palette() -> list[tuple[int, int, int]]:
    """VOC's colors: the bits of the number, spread over red, green and blue."""
    numbers = range(256)
    return [
        tuple(sum((n >> 3 * k + c & 1) << 7 - k for k in range(3)) for c in range(3))  # type: ignore[misc]
        for n in numbers
    ]
