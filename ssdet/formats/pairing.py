"""Which label map belongs to which image, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .issues import raise_data_error

# Words by which tools tell the two apart: `a.jpg` and `a_mask.png`, `img_1.png` and `gt_1.png`.
_IMAGE = frozenset(("img", "image", "images", "photo", "rgb", "leftimg8bit"))
_MAP = frozenset(
    ("mask", "masks", "label", "labels", "l", "gt", "seg", "segmentation", "annotation", "annot",
     "anno", "groundtruth", "target", "lab")
)  # fmt: skip


def pair_up(images: Sequence[Path], maps: Sequence[Path]) -> dict[Path, Path | None]:
    """Image -> its label map.

    Names are equal but for the ending; where most are not, the words that say what a file is are
    left out. Both are relative to the folders of the images and of the maps.
    """
    by_stem = {path.with_suffix(""): path for path in maps}
    pairs = {image: by_stem.get(image.with_suffix("")) for image in images}
    if 2 * sum(mask is not None for mask in pairs.values()) >= min(len(images), len(maps)):
        return pairs
    by_key: dict[Path, Path] = {}
    for path in maps:
        key = _key(path)
        if key in by_key:
            raise_data_error(
                "two label maps of one image",
                path,
                found=f"{path.name} and {by_key[key].name}",
                allowed="one for each image",
                advice="Put those that are not wanted into another folder",
            )
        by_key[key] = path
    return {image: by_key.get(_key(image)) for image in images}


def apart(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Images and label maps of one folder: by their names, their folders', or their endings."""
    maps = [path for path in files if is_map_name(path.stem)]
    maps = maps or [path for path in files if _MAP.intersection(_words(path.parent.name))]
    if not maps:
        photos = {
            path.with_suffix("") for path in files if path.suffix.lower() in (".jpg", ".jpeg")
        }
        maps = [
            path
            for path in files
            if path.suffix.lower() == ".png" and path.with_suffix("") in photos
        ]
    chosen = set(maps)
    return [path for path in files if path not in chosen], maps


def is_map_name(stem: str) -> bool:
    """Whether a name begins or ends with a word for label maps."""
    words = _words(stem)
    return len(words) > 1 and bool({words[0], words[-1]} & _MAP)


def _key(path: Path) -> Path:
    words = _words(path.stem)
    kept = [word for word in words if word not in _IMAGE | _MAP]
    # `a/images/1.png` and `a/masks/1.png`: a folder of such a name says no more than a word does.
    folders = [name for name in path.parent.parts if not set(_words(name)) <= _IMAGE | _MAP]
    return Path(*folders, "_".join(kept or words))


def _words(stem: str) -> list[str]:
    return [word for word in re.split(r"[_\-. ]+", stem.lower()) if word]
