"""Label maps of benchmarks in the layouts they are downloaded in: Cityscapes, VOC 2012, ADE20K."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..labels import IGNORE
from .annotations import Annotations, Instance, Reading
from .class_values import declared
from .encoding import MaskEncoding, open_map
from .files import read_lines
from .issues import DataError
from .masks import Pair, instance_of, read_masks, read_pairs
from .paths import find_images, need_folder

CITYSCAPES_LABELS = {  # labelIds of the 19 classes of the benchmark, in the order of its trainIds
    raw: label
    for label, raw in enumerate(
        (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    )
}
_CITYSCAPES_RAW = {raw: CITYSCAPES_LABELS.get(raw, IGNORE) for raw in (*range(34), 255, 65535)}
_CITYSCAPES_THINGS = (24, 25, 26, 27, 28, 31, 32, 33)
PRESETS = {
    "voc": "PascalVOCDataset",
    "cityscapes": "CityscapesDataset",
    "ade": "ADE20KDataset",
    "coco": "CocoDataset",
}


def read_voc_masks(source: Path, reading: Reading) -> Annotations:
    """VOC 2012: `ImageSets/Segmentation/{split}.txt`, `SegmentationClass`, `SegmentationClassAug`.

    Masks of VOC itself come before those of SBD, as in the published lists. Without a split: all
    images that have a mask.
    """
    folders = [reading.masks] if reading.masks else [source / "SegmentationClass"]
    folders += [] if reading.masks else [source / "SegmentationClassAug"]
    images = reading.images or need_folder(source, "VOC data") / "JPEGImages"
    if reading.split:
        file = source / "ImageSets" / "Segmentation" / f"{reading.split}.txt"
        stems = [(text.split()[0], f"{file}, line {line}") for line, text in read_lines(file)]
    else:
        found = {path.stem for folder in folders for path in find_images(folder)}
        stems = [(stem, str(source)) for stem in sorted(found)]
    root = reading.root(source)
    pairs = []
    for stem, where in stems:
        image = root.path(root.relative(images / f"{stem}.jpg"), where)
        masks = [root.path(root.relative(f / f"{stem}.png"), where) for f in folders]
        pairs.append(Pair(image, next((m for m in masks if m.is_file()), None), where))
    data = read_pairs(source, source, pairs, _preset(reading, "voc", source))
    return replace(data, prefix=images.relative_to(source).as_posix())


def read_ade(source: Path, reading: Reading) -> Annotations:
    """ADE20K: `images/{split}`, `annotations/{split}`; 0 is ignored, 1 is the first class."""
    reading = _preset(reading, "ade")
    values = {0: IGNORE, **{label + 1: label for label in range(len(reading.classes))}}
    encoding = reading.encoding or MaskEncoding(len(reading.classes), values)
    split = reading.split or "training"
    return read_masks(source, replace(reading, encoding=encoding, split=split))


def read_cityscapes(source: Path, reading: Reading) -> Annotations:
    """Cityscapes: `gtFine_labelTrainIds.png` where they were made, else `gtFine_labelIds.png`."""
    reading = _preset(reading, "cityscapes")
    kind, values = "labelTrainIds", {}
    pairs = _cityscapes_pairs(source, reading, kind)
    if not any(pair.mask for pair in pairs):
        kind, values = "labelIds", _CITYSCAPES_RAW
        pairs = _cityscapes_pairs(source, reading, kind)
    encoding = reading.encoding or MaskEncoding(len(reading.classes), values)
    data = read_pairs(source, source, pairs, replace(reading, encoding=encoding))
    return replace(data, prefix="leftImg8bit")


def read_cityscapes_instances(source: Path, reading: Reading) -> Annotations:
    """The eight classes of Cityscapes that have instances, from `gtFine_instanceIds.png`.

    A value is 1000 x labelId + number; a plain labelId is a group, that is a crowd. File names
    start at the city and category ids are labelIds, as in the official json files.
    """
    names = _preset(reading, "cityscapes").classes
    classes = tuple(names[CITYSCAPES_LABELS[raw]] for raw in _CITYSCAPES_THINGS)
    pairs = _cityscapes_pairs(source, reading, "instanceIds")
    data = read_pairs(source, source, pairs, replace(reading, classes=classes))
    folder = f"leftImg8bit/{reading.split or 'train'}"
    for record in data.records:
        try:
            values = np.asarray(open_map(record.mask or Path()))
        except DataError as error:
            reading.issues.found.extend(error.issues)
            continue
        if values.ndim != 2:
            reading.issues.leave_out(
                "instance map in colors",
                record.mask or "",
                found=f"an array of shape {values.shape}",
                allowed="one number for each pixel",
                advice="Download it again",
            )
            continue
        record.name = record.name.removeprefix(f"{folder}/")
        record.height, record.width = values.shape
        record.mask = None
        record.instances = list(_cityscapes_instances(values))
    usable = [record for record in data.records if record.mask is None]
    return replace(
        data, records=usable, encoding=None, images=source / folder,
        category_ids=_CITYSCAPES_THINGS,
    )  # fmt: skip


def _cityscapes_instances(values: Any) -> Iterator[Instance]:
    for value in np.unique(values).tolist():
        raw = value // 1000 if value >= 1000 else value
        if raw in _CITYSCAPES_THINGS:
            label = _CITYSCAPES_THINGS.index(raw)
            yield replace(instance_of(label, np.equal(values, value)), crowd=value < 1000)


def _cityscapes_pairs(source: Path, reading: Reading, kind: str) -> list[Pair]:
    split = reading.split or "train"
    images = need_folder(source / "leftImg8bit" / split, "folder of Cityscapes images")
    masks = need_folder(source / "gtFine" / split, "folder of Cityscapes annotations")
    pairs = []
    for image in find_images(images):
        stem = image.stem.removesuffix("_leftImg8bit")
        mask = masks / image.parent.relative_to(images) / f"{stem}_gtFine_{kind}.png"
        pairs.append(Pair(image, mask if mask.is_file() else None, str(image)))
    return pairs


def preset_classes(name: str) -> dict[str, Any]:
    """Classes and palette of a benchmark, as MMSegmentation has them.

    The 81 of 'coco' are the background and MMDetection's classes, not those of COCO-Stuff.
    """
    package = import_module("mmdet.datasets" if name == "coco" else "mmseg.datasets")
    meta = getattr(package, PRESETS[name]).METAINFO
    if name == "coco":
        return {
            "classes": ("background", *meta["classes"]),
            "palette": [(0, 0, 0), *meta["palette"]],
        }
    return {"classes": tuple(meta["classes"]), "palette": meta["palette"]}


def _preset(reading: Reading, name: str, source: Path | None = None) -> Reading:
    """The class names of a benchmark, unless the user or a file beside the data says others."""
    if reading.classes or (source is not None and declared(source).names):
        return reading
    return replace(reading, classes=preset_classes(name)["classes"])
