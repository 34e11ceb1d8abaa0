"""Folders of label maps and lists of pairs; those of benchmarks are in `benchmarks`."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..labels import IGNORE
from .annotations import Annotations, ImageRecord, Instance, Reading
from .class_values import declared, encoding_of, settle, zero_ignored
from .encoding import Color, MaskEncoding, open_map
from .files import read_lines
from .issues import DataError, raise_data_error
from .options import option
from .pairing import apart, pair_up
from .paths import Root, comparable, find_images, is_image, need_folder
from .segments import bounds, encode

_PLAIN_MASKS = ("masks", "labels", "annotations")


class Pair(NamedTuple):
    """An image, its label map if there is one, and the place that says so."""

    image: Path
    mask: Path | None
    where: str


def read_masks(source: Path, reading: Reading) -> Annotations:
    """`images/` and `masks/` (or `labels/`, `annotations/`) with files of the same names.

    Folders of other names are given by `reading.images` and `reading.masks`, which may be one
    folder; `reading.split` is a subfolder of both. See `pairing` for names that differ.
    """
    images = reading.images or need_folder(source, "data") / "images"
    named = (source / name for name in _PLAIN_MASKS)
    masks = reading.masks or next((f for f in named if f.is_dir()), source / "masks")
    if reading.split:
        images, masks = images / reading.split, masks / reading.split
    need_folder(images, "folder of images")
    need_folder(masks, "folder of label maps")
    source, images, masks = comparable(source, images, masks)
    root = Path(os.path.commonpath([source, images, masks]))
    files = [path.relative_to(images) for path in find_images(images)]
    if images == masks:
        files, maps = apart(files)
    else:
        maps = [path.relative_to(masks) for path in find_images(masks)]
    pairs = [
        Pair(images / image, masks / mask if mask else None, str(images / image))
        for image, mask in pair_up(files, maps).items()
    ]
    data = read_pairs(source, root, pairs, reading)
    folder = images.parent if reading.split else images
    return replace(data, prefix=folder.relative_to(root).as_posix())


def read_list(source: Path, reading: Reading) -> Annotations:
    """A list with lines `image mask` or `image`; paths start in `reading.images` or at the list."""
    root = reading.root(reading.images or source.parent)
    pairs = []
    for line, text in read_lines(source):
        where = f"{source}, line {line}"
        image, mask = split_line(text, where)
        mask_path = root.path(mask, where) if mask else None
        pairs.append(Pair(root.path(image, where), mask_path, where))
    return read_pairs(source, root.folder, pairs, reading)


def split_line(text: str, where: str) -> tuple[str, str | None]:
    """The two paths of a line; names with blanks are found by their endings."""
    words = text.split()
    if len(words) == 1 or (is_image(text) and not any(map(is_image, words[:-1]))):
        return text, None
    for cut in range(1, len(words)):
        image, mask = " ".join(words[:cut]), " ".join(words[cut:])
        if is_image(image) and is_image(mask):
            return image, mask
    raise_data_error(
        "malformed line",
        where,
        found=text,
        allowed="'image.jpg mask.png' or 'image.jpg'",
        advice="Write paths that end as images do",
    )


def components(data: Annotations) -> Annotations:
    """Label maps as instances: each connected region of a class, the background left out."""
    from scipy import ndimage

    records = []
    first = 1 if data.classes[0] in ("background", "_background_") else 0
    for record in data.records:
        labels = data.encoding.decode(record.mask) if data.encoding and record.mask else None
        if labels is None:
            continue
        instances: list[Instance] = []
        for label in sorted({*np.unique(labels).tolist()} - {IGNORE, *range(first)}):
            regions: Any = ndimage.label(labels == label)[0]
            masks = (regions == number for number in range(1, int(regions.max()) + 1))
            instances += [instance_of(label - first, mask) for mask in masks]
        height, width = labels.shape
        records.append(ImageRecord(record.name, width, height, None, instances))
    return replace(data, classes=data.classes[first:], records=records, encoding=None)


def instance_of(label: int, mask: np.ndarray) -> Instance:
    """An object that is a mask (height, width) of its pixels."""
    code = encode(mask)
    return Instance(label, bounds(code, *mask.shape) or (0.0, 0.0, 0.0, 0.0), code)


def read_pairs(source: Path, root: Path, pairs: Iterable[Pair], reading: Reading) -> Annotations:
    """A data set of pairs; those without a file are left out."""
    guard, records = reading.root(root), []
    for image, mask, where in pairs:
        if mask is None or not image.is_file() or not mask.is_file():
            missing = "label map" if image.is_file() else "file"
            reading.issues.leave_out(
                f"image without its {missing}",
                where,
                found=f"no {mask or missing}",
                allowed="both files",
                advice="Restore it; images without labels go into a "
                "folder of their own, as unlabeled images",
            )
            continue
        name = _inside(guard, image, where)
        _inside(guard, mask, where)
        records.append(ImageRecord(name, mask=mask, where=where))
    if not records:
        reading.issues.raise_empty(
            "no pair of image and label map",
            source,
            found="none",
            allowed="at least one",
            advice="docs/datasets.md shows the layout of each format",
        )
    classes, encoding = _classes(source, records, reading)
    issues = reading.issues.found
    if not (encoding.values or encoding.colors):
        _look_for_white(records[0], encoding, reading)
    return Annotations(source, root, classes, records, encoding, issues=issues)


def _classes(
    source: Path, records: Sequence[ImageRecord], reading: Reading
) -> tuple[tuple[str, ...], MaskEncoding]:
    """The classes and how the maps encode them: as the user, a file beside the data, or the maps
    say."""
    places = [f for f in (source, reading.masks, reading.images) if f is not None and f.is_dir()]
    stated = declared(*places)
    if reading.reduce_zero_label:
        names, encoding = zero_ignored(
            reading.classes or stated.names,
            lambda: _highest(_values(records, reading), reading),
        )
        return settle(names, encoding, reading.ignore)
    names = reading.classes or stated.names
    if not names:
        seen = _values(records, reading)
        if seen == {0, IGNORE} and IGNORE not in reading.ignore:
            return _black_and_white(records[0], reading)
        names = tuple(map(str, range(_highest(seen, reading) + 1)))
    colors = reading.colors
    if not colors and stated.names == names and _fits(stated.colors, records[0]):
        colors = stated.colors
    values = {IGNORE: IGNORE, **stated.values} if stated.names == names and stated.values else {}
    encoding = reading.encoding or MaskEncoding(len(names), values, colors)
    return settle(names, encoding, reading.ignore)


def _fits(colors: Mapping[Color, int], record: ImageRecord) -> bool:
    """Whether a map is in colors; a file of colors may also stand beside maps of numbers."""
    if not colors or record.mask is None:
        return False
    try:
        mode = open_map(record.mask).mode
    except DataError:
        return False  # found again, and reported, when the map is used
    return mode not in ("L", "I", "I;16", "1") and (
        mode != "P" or _decodes(MaskEncoding(len(colors), colors=colors), record.mask)
    )


def _decodes(encoding: MaskEncoding, path: Path) -> bool:
    try:
        encoding.decode(path)
    except DataError:
        return False
    return True


def _look_for_white(record: ImageRecord, encoding: MaskEncoding, reading: Reading) -> None:
    """Black and white maps: without `--values`, all of their white would be ignored."""
    path = record.mask or Path()
    try:
        found = set(np.unique(encoding.decode(path)).tolist())
    except DataError:
        return  # found again, and reported, when the map is used
    if found == {0, IGNORE}:
        reading.issues.warn(
            "label map with no values but 0 and 255",
            path,
            found="no other value",
            allowed="0, 1, 2, ... for the classes; 255 is ignored",
            advice=f"If 255 is a class here, say so: {option('values', (0, 255))}",
        )


def _black_and_white(record: ImageRecord, reading: Reading) -> tuple[tuple[str, ...], MaskEncoding]:
    """Two classes: if 255 were ignored, as in other maps, a single class would be left."""
    reading.issues.add(
        "info",
        "annotations",
        "black and white label maps",
        record.mask or "",
        found="0 and 255 alone",
        advice=f"255 is the class 'foreground' then; {option('ignore', IGNORE)} says otherwise",
    )
    return settle(("background", "foreground"), encoding_of((0, IGNORE)), reading.ignore)


def _inside(root: Root, path: Path, where: str) -> str:
    name = root.relative(path)
    root.path(name, where)
    return name


def _values(records: Sequence[ImageRecord], reading: Reading) -> set[int]:
    """The values of all maps."""
    values: set[int] = set()
    everything = MaskEncoding(IGNORE)
    for record in records:
        try:
            counts = np.bincount(everything.decode(record.mask or Path()).ravel())
        except DataError as error:
            reading.issues.found.extend(error.issues)
            continue
        values |= set(np.flatnonzero(counts).tolist())
    return values


def _highest(values: set[int], reading: Reading) -> int:
    """The highest value that is not ignored."""
    return max(values - {IGNORE, *reading.ignore}, default=0)
