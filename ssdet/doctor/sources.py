"""A data set as the doctor sees it: role, images, annotations, classes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..datasets.image_list import ImageList
from ..datasets.sources import lies_elsewhere, open_source
from ..datasets.splits import match
from ..formats import Annotations, Guess, examine
from ..formats.files import read_lines
from ..formats.guessed import options_for
from ..formats.guessing import Survey, label_maps
from ..formats.made_lists import root_of
from ..formats.options import option
from ..formats.places import images_near, names_in
from .findings import Findings

Role = Literal["labeled", "unlabeled", "validation"]


@dataclass(frozen=True, slots=True)
class Listed:
    """An image file, and the size that the annotations say."""

    path: str
    where: str
    width: int | None = None
    height: int | None = None


@dataclass
class Source:
    """One data set.

    Attributes:
        role: What it is used for.
        name: Key of the config, or the path that was given.
        images: The files.
        data: Annotations; None where there are none, or they could not be read.
        classes: Those of the config; None: the file's.
        uncorrected: It is a `CocoDataset` of MMDetection, which trains on what the file says.
        rotates: Whether the loader applies the EXIF orientation.
        deep: Whether the loader knows what to do with more than 8 bits in a channel.
        bad_image_limit: Share of an unlabeled source that may be unreadable.
    """

    role: Role
    name: str
    images: list[Listed] = field(default_factory=list)
    data: Annotations | None = None
    classes: tuple[str, ...] | None = None
    uncorrected: bool = False
    rotates: bool = True
    deep: bool = False
    bad_image_limit: float = 0.01


def of_data(found: Guess, role: Role, findings: Findings, **reading: Any) -> Source:
    """A data set that is given by itself; options of the reader go before those of the guess."""
    path = found.source
    source = Source(role, str(path))
    if source.name in findings.taken_for:  # another part of the same data
        source.name += f" ({role})"
    if found.why:
        findings.taken_for[source.name] = f"{found.format}: {found.told}"
    if found.format == "images":
        source.images = _unlabeled(path, reading.get("images"))
        _unread(source, found, findings)
        return source
    options = options_for(found, reading)
    if found.format == "coco" and not options.get("images"):
        options["images"] = path.parent
    data, issues = examine(path, found.format, **options)
    findings.extend(issues)
    if data is not None:
        if found.only:
            names = [record.name for record in data.records]
            data = data.subset(match(read_lines(found.only), names, found.only))
        use(source, data)
        if not (found.only or options.get("split")):  # else the others belong to other parts
            _without_labels(path, found.format, data, findings)
    return source


def _unlabeled(path: Path, folder: Path | None) -> list[Listed]:
    if folder is None and path.is_file():
        folder = root_of(path) or images_near(names_in(path), path, [])
    root = {} if folder is None else {"data_root": str(folder)}
    return listing({"source": str(path), **root})


def _unread(source: Source, found: Guess, findings: Findings) -> None:
    """Files among the images that may be labels: to pass over them must not look like a check."""
    path = found.source
    findings.looked_at[source.name] = f"{len(source.images)} images; labels: none"
    if found.why:
        findings.add(
            "warning" if found.also else "info", "annotations", "no labels were found", path,
            found=", ".join(found.also) or "images alone", allowed="labels of a known format",
            advice="Only the images were looked at; name the format of the labels with "
            f"{option('format')}",
        )  # fmt: skip
    if not path.is_dir():
        return
    if maps := label_maps(Survey.of(path)):
        source.images = [image for image in source.images if Path(image.path) not in maps]
        findings.looked_at[source.name] = f"{len(source.images)} images; labels: none"
        findings.add(
            "error", "files", "label maps among the unlabeled images", min(maps),
            found=f"{len(maps)} label maps", allowed="photographs alone",
            advice="They would be learned from as pictures: name the folder of the images, or let "
            "`ssdet init` leave them out",
        )  # fmt: skip


def _without_labels(path: Path, form: str, data: Annotations, findings: Findings) -> None:
    """Images beside labels of one file for each image that have none."""
    if not path.is_dir() or form not in ("voc", "labelme") or data.images is None:
        return
    labeled = {data.path(record) for record in data.records}
    bare = [
        p for paths in Survey.of(data.images).images.values() for p in paths if p not in labeled
    ]
    if bare:
        findings.add(
            "info", "files", "images without labels", bare[0], found=f"{len(bare)} images",
            advice="They are left out here; as unlabeled images they are of use",
        )  # fmt: skip


def use(source: Source, data: Annotations) -> None:
    """Take annotations, and the files that they are of."""
    source.data = data
    if data.images is not None:
        source.images = [
            Listed(str(data.path(p)), p.where or str(data.source), p.width, p.height)
            for p in data.records
        ]


def listing(options: Mapping[str, Any]) -> list[Listed]:
    """All images of a source; files that are missing are left to the check of the files."""
    known = ("source", "data_root", "img_prefix", "img_suffix", "max_share")
    given = {
        key: os.fspath(value) if isinstance(value := options[key], os.PathLike) else value
        for key in known
        if options.get(key) is not None
    }
    name = str(options["source"])
    if lies_elsewhere(name, options.get("data_root")):
        found = open_source(name, root=options.get("data_root"))
        return [Listed(found.address(place), name) for place in range(len(found))]
    infos = ImageList(**given, may_miss=True).images()
    return [Listed(i["img_path"], name, i.get("width"), i.get("height")) for i in infos]
