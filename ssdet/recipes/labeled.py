"""Labeled images of any format: read, and said as a data set of a config."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..datasets.splits import match
from ..formats import Annotations, Guess, components, guess, read, write_coco, write_masks
from ..formats.class_values import encoding_settings
from ..formats.coco import open_coco
from ..formats.files import read_lines
from ..formats.issues import raise_data_error
from ..formats.options import option
from ..formats.places import coco_images
from ..formats.write import write_text
from .recipe import Code

# Formats whose readers know how the maps are encoded.
_ENCODED = ("cityscapes", "ade")


@dataclass(frozen=True)
class Data:
    """What the user says about the data; named like the options of `ssdet init`.

    Attributes:
        labeled, unlabeled, val: Files or folders. `unlabeled` is empty where the labeled data says
            it, and `val` is None where images are to be held out.
        format: A key of `ssdet.formats.FORMATS`, or None: recognized from the files.
        only: List of the labeled images to use, as `ssdet split` writes it.
        split, val_split: Parts of the data, where a source has several.
        images: Folder of the images, where the sources do not say it.
        val_images, val_masks: Folders of the images to validate on and of their label maps, where
            they are others.
        reading: Further fields of `ssdet.formats.Reading`.
        external, tags: What methods that use them ask for: labels of another model, and the classes
            of whole images.
    """

    labeled: Path
    unlabeled: str = ""
    val: Path | None = None
    format: str | None = None
    only: Path | None = None
    split: str | None = None
    val_split: str | None = None
    images: Path | None = None
    val_images: Path | None = None
    val_masks: Path | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    external: Path | None = None
    tags: Path | None = None


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


def find_labeled(name: str, said: Data, task: str) -> Guess:
    """Where the images to train on ("labeled"), or to validate on ("val"), are, and in which form.

    Without `val` and `val_split`, those to validate on are the part of the labeled data that is
    called so.
    """
    source, split, masks = said.labeled, said.split, said.reading.get("masks")
    if name == "val":
        source, split, masks = said.val or source, said.val_split, said.val_masks
    if not source.exists():
        raise_data_error(
            "missing file",
            option(name, str(source)),
            found=f"nothing in {Path.cwd()}" if not source.is_absolute() else "nothing",
            allowed="a file or folder",
            advice="Check the path; it starts in the current folder",
        )
    form = said.format or ("masks" if masks else None)
    if form is not None:
        return Guess(form, source, "").part(split)
    found = guess(source, task)
    if name == "val" and split is None and found.validation is not None:
        return found.validation
    found = found.part(split)
    if found.format == "images":
        raise_data_error(
            "labeled data of an unknown format",
            source,
            found=", ".join([found.why, *found.also]),
            allowed="COCO .json, VOC or YOLO folder, images/ and masks/, ... (docs/datasets.md)",
            advice=f"Name it with {option('format')}, or export it as COCO json; {option(name)} "
            "takes the data with labels",
        )
    return found


def read_part(name: str, said: Data, task: str, side: Path) -> Part:
    """The images to train on ("labeled"), or to validate on ("val"), as the user says it.

    Args:
        name: "labeled" or "val".
        said: What the user says.
        task: "detection" or "segmentation".
        side: Folder for labels that have to be converted.
    """
    found = find_labeled(name, said, task)
    given = {"images": said.images, "masks": said.reading.get("masks"), "only": said.only}
    if name == "val":
        other = said.val_images or (None if said.val_masks else said.images)
        given = {"images": other, "masks": said.val_masks, "only": None}
    given = {"only": found.only, **found.reading, **{k: v for k, v in given.items() if v}}
    reading = {**said.reading, **given}
    data = _read(found, {**reading}, said)
    asked = {k: str(given[k]) for k in ("images", "masks", "split", "only") if given.get(k)}
    code: dict[str, Any] = {**asked, **_as_told(found.format, data, reading)}
    if task == "detection":
        part = _for_detector(data, found.format, side / f"{name}.json", code)
    else:
        part = _for_segmentor(data, found.format, side / name, code)
    if found.why:
        part.notes.insert(0, f"{name}: {found.format}, because of {found.told}")
    if name == "labeled" and found.format == "yolo" and all(map(str.isdigit, data.classes)):
        part.notes.append(
            f"{data.source} has no names of classes, so their numbers are the names; give "
            f"{option('classes', metavar='FILE')}, a name a line"
        )
    return part


def _as_told(form: str, data: Annotations, reading: Mapping[str, Any]) -> dict[str, Any]:
    """What the data set has to be told, because the files do not say it."""
    code: dict[str, Any] = {"follow_links": True} if reading.get("follow_links") else {}
    if form == "labelstudio" and reading.get("predictions"):
        code["predictions"] = True
    names = reading.get("classes")
    if form == "yolo" and names and data.classes == tuple(names):
        code["names"] = list(names)  # the files have numbers alone
    return code


def coco_or_images(data: Annotations, form: str, **asked: Any) -> dict[str, Any]:
    """The data set that reads boxes; MMDetection's own where it can."""
    classes = {"classes": Code("classes")}
    gaps = any(record.exhaustive is not None for record in data.records)
    if form == "coco" and "only" not in asked and not gaps:
        prefix = {"img": f"{data.images}/"}
        code = {"type": "CocoDataset", "ann_file": str(data.source), "data_prefix": prefix}
        return {**code, "metainfo": classes}
    if form == "coco":
        asked["images"] = str(data.images)
    code = {"type": "LabeledImages", "source": str(data.source), "format": form}
    return {**code, **asked, "metainfo": classes}


def _read(found: Guess, options: dict[str, Any], said: Data) -> Annotations:
    source, only = found.source, options.pop("only")
    if found.format == "coco":
        options["content"] = content = open_coco(source)
        options["images"] = coco_images(source, content, options.get("images"))
    data = read(source, found.format, strict=False, **options)
    if only:
        names = [record.name for record in data.records]
        data = data.subset(match(read_lines(only), names, only))
    first = data.path(data.records[0])
    if not first.is_file():
        raise_data_error(
            "missing image",
            f"{source}: {data.records[0].where}",
            found=f"no file {first}",
            allowed=f"the image in {Path.cwd() / (data.images or '')}",
            advice=f"Name their folder with {option('images')}",
        )
    return data


def _for_detector(data: Annotations, form: str, file: Path, asked: dict[str, Any]) -> Part:
    """Label maps become boxes in a file."""
    if data.encoding is None and form != "cityscapes-instances":
        return Part(data, form, coco_or_images(data, form, **asked))
    data = components(data) if data.encoding else data
    path = write_coco(data, file, force=True)
    note = f"label maps of {data.source} became boxes, one for each connected region: {path}"
    code = coco_or_images(replace(data, source=path), "coco")
    return Part(data, "coco", code, [note])


def _for_segmentor(data: Annotations, form: str, folder: Path, asked: dict[str, Any]) -> Part:
    """Outlines become label maps in a folder."""
    if data.encoding is not None:
        code = {"type": "LabeledMasks", "source": str(data.source), "format": form}
        encoding = {} if form in _ENCODED else encoding_settings(data.encoding)
        return Part(data, form, {**code, "classes": Code("classes"), **asked, **encoding})
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
