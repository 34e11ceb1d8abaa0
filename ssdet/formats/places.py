"""Find the folder of the images that a file names."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .coco import open_coco
from .files import read_lines
from .issues import DataError, raise_data_error
from .json_stream import Items
from .masks import split_line
from .options import option

_LOOKED_FOR = 200  # files of a list, to find their folder


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
    names = list(coco_names(content))
    known = [given] if given else []
    if (made := _root_of_split(source, content)) is not None:
        known.append(made)
    root = find_root(names, source, known)
    if names and root is None:
        here = Path.cwd()
        looked = ", ".join(str(here / folder) for folder in [*known, source.parent])
        raise_data_error(
            "images not found",
            source,
            found=f"no file {names[0]!r}",
            allowed=f"the images in {looked}, in images/ beside it, or near it",
            advice=f"Name their folder with {option('images')}; it starts in {here}",
        )
    return root or source.parent


def images_near(names: Iterable[str], file: Path, known: Sequence[Path]) -> Path | None:
    """The same as `find_root` for a command that does without the images."""
    try:
        return find_root(names, file, known)
    except DataError:
        return None


def _root_of_split(source: Path, content: Mapping[str, Any]) -> Path | None:
    """The folder that `ssdet split` noted in a file that it wrote."""
    info = content.get("info")
    split = info.get("split") if isinstance(info, dict) else None
    stated = split.get("root") if isinstance(split, dict) else None
    return Path(os.path.normpath(source.parent / stated)) if isinstance(stated, str) else None


def names_in(file: Path) -> Iterator[str]:
    """The images that a list or a COCO file names."""
    if file.suffix.lower() == ".json":
        yield from coco_names(open_coco(file))
    else:
        yield from (split_line(text, f"{file}, line {line}")[0] for line, text in read_lines(file))


def coco_names(content: Mapping[str, Any]) -> Iterator[str]:
    """The images that a COCO object names."""
    images = content.get("images")
    entries = images if isinstance(images, (list, Items)) else []
    return (str(entry.get("file_name")) for entry in entries if isinstance(entry, dict))


def _subfolders(folder: Path) -> Iterator[Path]:
    """Folders in it and in those, few enough to try them all."""
    for first in sorted(folder.iterdir())[:100]:
        if first.is_dir() and not first.name.startswith("."):
            yield first
            yield from [p for p in sorted(first.iterdir())[:100] if p.is_dir()]
