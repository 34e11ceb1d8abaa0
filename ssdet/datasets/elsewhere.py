"""Labeled images behind addresses and in tar archives: annotations are read, images only found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..exits import replacing
from ..formats.annotations import Annotations, ImageRecord
from ..formats.encoding import MaskEncoding
from ..formats.issues import raise_data_error
from ..formats.masks import split_line
from ..formats.pairing import pair_up
from ..formats.paths import tidy
from .image_list import is_image
from .name_list import NameList
from .remote import read_bytes, retried, user_cache
from .sources import archives_of, is_remote, lies_elsewhere, names_below

MAPS = ("masks", "labels", "annotations")


def local_copy(file: str) -> str:
    """An annotation file itself; of one with an address a copy, made anew each time."""
    if not is_remote(file):
        return file
    name = file.rpartition("/")[2]
    copy = user_cache("annotations", file) / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    content = retried(lambda: read_bytes(file), file)
    with replacing(copy) as temporary:
        temporary.write_bytes(content)
    return str(copy)


def place_of_images(source: str, images: str | None) -> str | None:
    """The address or the archives of the images of a COCO file; None where they are files.

    Args:
        source: The COCO file, which may have an address.
        images: Where its images are, if they are not beside it.
    """
    if not is_remote(source) and (images is None or not lies_elsewhere(images)):
        return None
    return images or source.rpartition("/")[0]


def addresses(images: str, records: Iterable[ImageRecord]) -> dict[str, str]:
    """Where the image of each record lies: name -> address.

    Args:
        images: Address that the names start at, or what names archives: one, a folder, a pattern.
        records: In archives the name of an image is `shard.tar!key.jpg`, as `ssdet label` writes
            it, or `key.jpg` where only one archive has it.
    """
    listed = list(records)
    inside = any("!" in record.name for record in listed)
    archives = archives_of(images, inside=inside)
    if archives is None:
        base = images.rstrip("/")
        return {one.name: f"{base}/{tidy(one.name, one.where)}" for one in listed}
    places = _Names(archives.names)
    return {one.name: archives.address(places.find(one.name, one.where, images)) for one in listed}


@dataclass
class Pairs(Annotations):
    """Images with label maps, neither of which has been opened.

    Attributes:
        maps: The address of each label map, by the name of its image.
        places: The same of the images.
    """

    maps: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)


def read_pairs(
    source: str, images: str | None, classes: Sequence[str], encoding: MaskEncoding
) -> Pairs:
    """Images and label maps of a list, of a folder with `images/` and `masks/`, or of archives.

    In an archive a map is called like its image: `key.jpg` and `key.seg.png` (or `mask`, `label`).
    """
    if not classes:
        raise_data_error(
            "label maps at an address, and no classes",
            source,
            found="no names",
            allowed="the names of all classes, in the order of their values",
            advice="Give classes=[...]: the maps are not read before the training needs them",
        )
    if source.endswith(".txt"):
        found = _of_list(source, images)
    else:
        archives = archives_of(source, maps=True)
        if archives is None:
            found = _of_folder(source)
        else:
            at = {name: archives.address(place) for place, name in enumerate(archives.names)}
            found = [(image, at[image], at[label]) for image, label in _in_archives(at)]
    if not found:
        raise_data_error(
            "no pair of image and label map",
            source,
            found="none",
            allowed="a list of pairs, images/ and masks/, or archives with key.jpg and key.seg.png",
            advice="Check the address",
        )
    names = [image for image, _, _ in found]
    maps, places = ({one[0]: one[n] for one in found} for n in (2, 1))
    records = [ImageRecord(name, where=source) for name in names]
    return Pairs(Path(source), None, tuple(classes), records, encoding, maps=maps, places=places)


def _of_list(source: str, images: str | None) -> list[tuple[str, str, str]]:
    root = (images or source.rpartition("/")[0]).rstrip("/")
    found = []
    text = Path(local_copy(source)).read_text(encoding="utf-8-sig")
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{source}, line {number}"
        image, label = split_line(line.strip(), where) if line.strip() else ("", None)
        if label is not None:
            name = tidy(image, where)
            found.append((name, f"{root}/{name}", f"{root}/{tidy(label, where)}"))
    return found


def _of_folder(source: str) -> list[tuple[str, str, str]]:
    base = source.rstrip("/")
    names = [Path(name) for name in sorted(names_below(base)) if is_image(name)]
    images = [name.relative_to("images") for name in names if name.parts[0] == "images"]
    folder = next((f for f in MAPS if any(name.parts[0] == f for name in names)), MAPS[0])
    maps = [name.relative_to(folder) for name in names if name.parts[0] == folder]
    return [
        (
            image.as_posix(),
            f"{base}/images/{image.as_posix()}",
            f"{base}/{folder}/{label.as_posix()}",
        )
        for image, label in pair_up(images, maps).items()
        if label is not None
    ]


def _in_archives(names: Iterable[str]) -> list[tuple[str, str]]:
    """(image, label map) by their keys."""
    maps: dict[str, str] = {}
    images: list[str] = []
    for name in names:
        stem = os.path.splitext(name)[0]
        key, dot, kind = stem.rpartition(".")
        if dot and kind in ("seg", "mask", "label"):
            maps[key] = name
        else:
            images.append(name)
    return [(name, maps[key]) for name in images if (key := os.path.splitext(name)[0]) in maps]


class _Names:
    """The places of images in archives, by their whole names or by their keys alone."""

    def __init__(self, names: NameList) -> None:
        self.places: dict[str, int] = {}
        self.doubtful: set[str] = set()
        for place, name in enumerate(names):
            key = name.partition("!")[2]
            self.doubtful |= {key} & self.places.keys()
            self.places[key] = self.places[name] = place

    def find(self, name: str, where: str, images: str) -> int:
        """The place of an image."""
        place = None if name in self.doubtful else self.places.get(name)
        if place is None:
            several = name in self.doubtful
            raise_data_error(
                "image in several archives" if several else "image in none of the archives",
                where,
                found=name,
                allowed=f"images of {images}",
                advice="Say in which: 'shard.tar!key.jpg'" if several else "Correct file_name",
            )
        return place
