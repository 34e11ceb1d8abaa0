"""Find the format of labels, and the folder of the images that a file names."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..formats.coco import open_coco
from ..formats.files import read_lines
from ..formats.issues import raise_data_error
from ..formats.json_stream import Items
from ..formats.masks import split_line
from ..formats.options import option

_LOOKED_FOR = 200  # files of a list, to find their folder
_FILES = {".json": "coco", ".yaml": "yolo", ".yml": "yolo", ".xml": "cvat", ".txt": "list"}
_FOLDERS = {
    "segmentation": {
        "leftImg8bit": "cityscapes",
        "images/training": "ade",
        "SegmentationClass": "voc-masks",
        "masks": "masks",
        "labels": "masks",
        "annotations": "masks",
    },
    "detection": {
        "data.yaml": "yolo",
        "Annotations": "voc",
        "leftImg8bit": "cityscapes-instances",
        "masks": "masks",
        "SegmentationClass": "voc-masks",
    },
}


def find_root(names: Iterable[str], file: Path, known: Sequence[Path]) -> Path | None:
    """The folder of the images that a file names; None if it is not one of the usual ones.

    Parts of a data set may use the same names: then the folder that is called like the file is the
    one (`val/` for `instances_val.json`), and where none is, the user is asked.
    """
    every = list(names)
    looked_for = every[:: max(1, len(every) // _LOOKED_FOR)]

    def holds(folder: Path) -> bool:
        return bool(looked_for) and all((folder / name).is_file() for name in looked_for)

    here, above = file.parent, file.absolute().parent.parent
    above = above if file.is_absolute() else Path(os.path.relpath(above))
    usual = (*known, here, here / "images", Path(), above, above / "images")
    if plain := next(filter(holds, usual), None):
        return plain
    words = set(re.split(r"[^a-z0-9]+", file.stem.lower()))
    found: dict[int, list[Path]] = {}
    for folder in dict.fromkeys([*_subfolders(here), *_subfolders(above)]):
        if holds(folder):
            alike = words & set(re.split(r"[^a-z0-9]+", str(folder).lower()))
            found.setdefault(len(alike), []).append(folder)
    best = found[max(found)] if found else []
    if len({os.path.realpath(folder) for folder in best}) > 1:
        raise_data_error(
            "images in several folders",
            file,
            found=", ".join(map(str, best)),
            allowed="one folder with files of these names",
            advice=f"Name it with {option('images')}, or with {option('val_images')} for "
            "those to validate on",
        )
    return best[0] if best else None


def coco_images(source: Path, content: Mapping[str, Any], given: Path | None) -> Path:
    """The folder of the images that a COCO file names."""
    names = list(_coco_names(content))
    root = find_root(names, source, [given] if given else [])
    if names and root is None:
        raise_data_error(
            "images not found",
            source,
            found=f"no file {names[0]!r}",
            allowed="beside the json file, in its folder images/, or near it",
            advice=f"Name their folder with {option('images')}",
        )
    return root or source.parent


def names_in(file: Path) -> Iterator[str]:
    """The images that a list or a COCO file names."""
    if file.suffix.lower() == ".json":
        yield from _coco_names(open_coco(file))
    else:
        yield from (split_line(text, f"{file}, line {line}")[0] for line, text in read_lines(file))


def _coco_names(content: Mapping[str, Any]) -> Iterator[str]:
    images = content.get("images")
    entries = images if isinstance(images, (list, Items)) else []
    return (str(entry.get("file_name")) for entry in entries if isinstance(entry, dict))


def _subfolders(folder: Path) -> Iterator[Path]:
    """Folders in it and in those, few enough to try them all."""
    for first in sorted(folder.iterdir())[:100]:
        if first.is_dir() and not first.name.startswith("."):
            yield first
            yield from [p for p in sorted(first.iterdir())[:100] if p.is_dir()]


def guess_format(source: Path, task: str) -> str:
    """The format of labeled data, by its files and folders."""
    if source.is_file() and source.suffix.lower() in _FILES:
        return _FILES[source.suffix.lower()]
    for name, form in _FOLDERS[task].items():
        if (source / name).exists():
            return form
    if source.is_dir() and next(source.glob("*.json"), None):
        return "labelme"
    kind = "a folder" if source.is_dir() else "a file"
    raise_data_error(
        "labeled data of an unknown format",
        source,
        found=kind,
        allowed="COCO .json, VOC or YOLO folder, images/ and masks/, ... (docs/datasets.md)",
        advice=f"Name it with {option('format')}; {option('labeled')} takes the data with labels",
    )
