"""Labeled images of any format: read, and said as a data set of a config."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..datasets.splits import match
from ..formats import Annotations, components, read, write_coco, write_masks
from ..formats.coco import open_coco
from ..formats.files import read_lines
from ..formats.issues import raise_data_error
from ..formats.options import option
from ..formats.write import write_text
from .places import coco_images, guess_format
from .recipe import Code


@dataclass(frozen=True)
class Data:
    """What the user says about the data; named like the options of `ssdet init`.

    Attributes:
        labeled, unlabeled, val: Files or folders; `val` is None where images are to be held out.
        format: A key of `ssdet.formats.FORMATS`, or None: recognized from the files.
        only: List of the labeled images to use, as `ssdet split` writes it.
        split, val_split: Parts of the data, where a source has several.
        images: Folder of the images, where the sources do not say it.
        val_images: Folder of the images to validate on, where it is another one.
        class_file: Names (and colors) of the classes.
        reading: Further fields of `ssdet.formats.Reading`.
    """

    labeled: Path
    unlabeled: str
    val: Path | None = None
    format: str | None = None
    only: Path | None = None
    split: str | None = None
    val_split: str | None = None
    images: Path | None = None
    val_images: Path | None = None
    class_file: Path | None = None
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass
class Part:
    """Labeled images: what is in them, and the data set of the config that reads them."""

    data: Annotations
    format: str
    code: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def paths(self) -> set[str]:
        """The files, with links resolved."""
        return {os.path.realpath(self.data.path(record)) for record in self.data.records}


def read_part(name: str, said: Data, task: str, side: Path) -> Part:
    """The images to train on ("labeled"), or to validate on ("val"), as the user says it.

    Args:
        name: "labeled" or "val".
        said: What the user says.
        task: "detection" or "segmentation".
        side: Folder for labels that have to be converted.
    """
    source, images, split, only = said.labeled, said.images, said.split, said.only
    if name == "val":
        source, images = said.val or said.labeled, said.val_images or said.images
        split, only = said.val_split, None
    if not source.exists():
        raise_data_error(
            "missing file",
            option(name, str(source)),
            found="nothing",
            allowed="a file or folder",
            advice="Check the path; it starts in the current folder",
        )
    form = said.format or guess_format(source, task)
    data = _read(source, form, said, images=images, split=split, only=only)
    given = {"images": images, "split": split, "only": only}
    asked = {key: str(value) for key, value in given.items() if value}
    if task == "detection":
        return _for_detector(data, form, side / f"{name}.json", asked)
    return _for_segmentor(data, form, said, side / name, asked)


def coco_or_images(data: Annotations, form: str, **asked: str) -> dict[str, Any]:
    """The data set that reads boxes; MMDetection's own where it can."""
    classes = {"classes": Code("classes")}
    if form == "coco" and "only" not in asked:
        prefix = {"img": f"{data.images}/"}
        code = {"type": "CocoDataset", "ann_file": str(data.source), "data_prefix": prefix}
        return {**code, "metainfo": classes}
    if form == "coco":
        asked["images"] = str(data.images)
    code = {"type": "LabeledImages", "source": str(data.source), "format": form}
    return {**code, **asked, "metainfo": classes}


def _read(
    source: Path,
    form: str,
    said: Data,
    *,
    images: Path | None,
    split: str | None,
    only: Path | None,
) -> Annotations:
    options = {**said.reading, "split": split, "images": images}
    if form == "coco":
        options["content"] = content = open_coco(source)
        options["images"] = coco_images(source, content, images)
    data = read(source, form, strict=False, **options)
    if only:
        names = [record.name for record in data.records]
        data = data.subset(match(read_lines(only), names, only))
    first = data.path(data.records[0])
    if not first.is_file():
        raise_data_error(
            "missing image",
            f"{source}: {data.records[0].where}",
            found=f"no file {first}",
            allowed="the image",
            advice=f"Name their folder with {option('images')}",
        )
    return data


def _for_detector(data: Annotations, form: str, file: Path, asked: dict[str, str]) -> Part:
    """Label maps become boxes in a file."""
    if data.encoding is None and form != "cityscapes-instances":
        return Part(data, form, coco_or_images(data, form, **asked))
    data = components(data) if data.encoding else data
    path = write_coco(data, file, force=True)
    note = f"label maps of {data.source} became boxes, one for each connected region: {path}"
    code = coco_or_images(replace(data, source=path), "coco")
    return Part(data, "coco", code, [note])


def _for_segmentor(
    data: Annotations, form: str, said: Data, folder: Path, asked: dict[str, str]
) -> Part:
    """Outlines, and label maps that only our readers understand, become label maps in a folder."""
    if data.encoding is not None and not {"encoding", "masks"} & said.reading.keys():
        colored = said.class_file and said.reading.get("colors")
        classes = str(said.class_file) if colored else Code("classes")
        code = {"type": "LabeledMasks", "source": str(data.source), "format": form}
        return Part(data, form, {**code, "classes": classes, **asked})
    written = write_masks(data, folder, force=True)
    pairs = [(data.path(record).resolve(), mask.resolve()) for record, mask in written]
    root = Path(os.path.commonpath([path.parent for pair in pairs for path in pair]))
    lines = [f"{image.relative_to(root)} {mask.relative_to(root)}\n" for image, mask in pairs]
    path = write_text(folder.with_name(f"{folder.name}.txt"), "".join(lines), force=True)
    note = f"labels of {data.source} became label maps: {folder}"
    names = tuple(line for _, line in read_lines(folder / "classes.txt"))
    code = {"type": "LabeledMasks", "source": str(path), "format": "list", "images": str(root)}
    data = read(path, "list", images=root, classes=names)
    return Part(data, "list", {**code, "classes": Code("classes")}, [note])
