"""Signs of label maps: images with few flat values that are named like other images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..issues import raise_data_error
from ..options import option
from ..pairing import apart, is_map_name, pair_up
from ..parts import part_of
from .found import Guess, of_parts
from .survey import Survey, sample

_MOST_VALUES = 64  # of a label map; photographs have more, drawings hardly ever have a twin
_LOOKED_AT = 3
_NAMES = ("masks", "labels", "annotations")


def cityscapes(survey: Survey) -> Guess | None:
    """leftImg8bit/ and gtFine/."""
    root = survey.root
    if not ((root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir()):
        return None
    why = "leftImg8bit/ and gtFine/"
    names = [p.name for p in sorted((root / "gtFine").iterdir()) if p.is_dir()]
    return _splits("cityscapes", root, why, {part_of(Path(n)) or n: n for n in names})


def ade(survey: Survey) -> Guess | None:
    """images/training and annotations/training."""
    root = survey.root
    if not all((root / name / "training").is_dir() for name in ("images", "annotations")):
        return None
    why = "images/training/ and annotations/training/"
    names = {"train": "training", "val": "validation"}
    there = {part: name for part, name in names.items() if (root / "annotations" / name).is_dir()}
    return _splits("ade", root, why, there)


def voc_masks(survey: Survey) -> Guess | None:
    """JPEGImages/ and SegmentationClass/."""
    homes = [f.parent for f in survey.images if f.name == "SegmentationClass"]
    if not homes or not (homes[0] / "JPEGImages").is_dir():
        return None
    lists = homes[0] / "ImageSets" / "Segmentation"
    names = [name for name in ("train", "val") if (lists / f"{name}.txt").is_file()]
    why = "JPEGImages/ and SegmentationClass/"
    if len(names) < 2:
        return Guess("voc-masks", homes[0], why)
    return _splits("voc-masks", homes[0], why, {name: name for name in names})


def masks(survey: Survey) -> Guess | None:
    """Pairs of folders of which one has label maps, or images with their maps beside them."""
    parts: dict[str, Guess] = {}
    every = _pairs(survey)
    # Where a folder has both, such as augmented copies beside the data, the pairs of folders count.
    found = [pair for pair in every if pair[0] != pair[1]] or every
    also = tuple(_told(survey.root, *pair) for pair in every if pair not in found)
    _need_one_each(survey.root, found)
    for images, maps in found:
        # The maps' folder may be the only one that says it: images/ with train_masks/.
        name = part_of(images.relative_to(survey.root)) or part_of(maps.relative_to(survey.root))
        parts.setdefault(name or "", _guess(survey.root, images, maps))
    if len(found) > len(parts):  # a folder for each city or patient
        guessed: Guess | None = _above(survey, found)
    else:
        guessed = parts[""] if "" in parts else of_parts(parts)
    return guessed and replace(guessed, also=also)


def _need_one_each(root: Path, found: Sequence[tuple[Path, Path]]) -> None:
    for images in dict.fromkeys(images for images, _ in found):
        several = [maps for of, maps in found if of == images]
        if len(several) > 1:
            raise_data_error(
                "several folders of label maps for one of images",
                root,
                found=", ".join(str(maps.relative_to(root)) for maps in several),
                allowed=f"one for {images.relative_to(root)}",
                advice=f"Choose it, such as {option('masks', str(several[0]))}",
            )


def label_maps(survey: Survey) -> set[Path]:
    """The files among the images that are label maps of others."""
    found: set[Path] = set()
    for images, maps in _pairs(survey):
        found.update(survey.images[maps] if maps != images else apart(survey.images[maps])[1])
    return found


def is_label_map(path: Path) -> bool:
    """Whether an image has few flat values."""
    try:
        with Image.open(path) as image:
            if image.mode in ("P", "L", "1", "I", "I;16"):
                values = np.asarray(image)[::2, ::2]
            else:
                red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.int64), -1, 0)
                values = (red << 16 | green << 8 | blue)[::2, ::2]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return len(np.unique(values)) <= _MOST_VALUES


def _pairs(survey: Survey) -> list[tuple[Path, Path]]:
    """(folder of images, folder of their label maps)."""
    maps = {folder: paths for folder, paths in survey.images.items() if _are_maps(paths)}
    photos = {folder: paths for folder, paths in survey.images.items() if folder not in maps}
    pairs = []
    for folder, paths in maps.items():
        near = [(_matches(images, paths), _alike(other, folder), other)
                for other, images in photos.items()]  # fmt: skip
        best = max(near, default=(0.0, 0, folder))
        if best[0] >= 0.5:
            pairs.append((best[2], folder))
    for folder, paths in photos.items():
        beside = [path for path in paths if _is_beside(path, paths)]
        if len(beside) * 3 >= len(paths) and all(map(is_label_map, sample(beside, _LOOKED_AT))):
            pairs.append((folder, folder))
    return pairs


def _are_maps(paths: Sequence[Path]) -> bool:
    lossless = [path for path in paths if path.suffix.lower() not in (".jpg", ".jpeg")]
    return len(lossless) == len(paths) and all(map(is_label_map, sample(paths, _LOOKED_AT)))


def _is_beside(path: Path, paths: Sequence[Path]) -> bool:
    """A map among photographs: `a_mask.png`, or `a.png` where the photographs are jpg."""
    if is_map_name(path.stem):
        return True
    photo = any(path.with_suffix(suffix).exists() for suffix in (".jpg", ".jpeg", ".JPG"))
    return path.suffix.lower() == ".png" and photo


def _matches(images: Sequence[Path], maps: Sequence[Path]) -> float:
    """Share of the maps that belong to one of the images."""
    few = sample(maps, 50)
    found = pair_up([Path(p.name) for p in images], [Path(p.name) for p in few])
    return sum(mask is not None for mask in found.values()) / len(few)


def _alike(a: Path, b: Path) -> int:
    """How alike two folders are: the same part first, then the same ancestors."""
    same = part_of(a) == part_of(b)
    return 100 * same + len(os.path.commonpath([a, b]))


def _above(survey: Survey, found: Sequence[tuple[Path, Path]]) -> Guess:
    images = Path(os.path.commonpath([pair[0] for pair in found]))
    maps = Path(os.path.commonpath([pair[1] for pair in found]))
    return _guess(survey.root, images, maps)


def _guess(root: Path, images: Path, maps: Path) -> Guess:
    """The plain layout is `images/PART` and `masks/PART`; others are said in full."""
    why = _told(root, images, maps)
    first, second = images.relative_to(root).parts, maps.relative_to(root).parts
    if first[:1] == ("images",) and second[:1] and second[0] in _NAMES and first[1:] == second[1:]:
        others = [name for name in _NAMES if (root / name).is_dir()]
        if others[0] == second[0] and len(first) <= 2:
            return Guess("masks", root, why, {"split": first[1]} if first[1:] else {})
    return Guess("masks", root, why, {"images": images, "masks": maps})


def _told(root: Path, images: Path, maps: Path) -> str:
    if images == maps:
        return f"label maps beside their images in {images.relative_to(root)}/"
    return f"label maps in {maps.relative_to(root)}/ of the images in {images.relative_to(root)}/"


def _splits(form: str, root: Path, why: str, names: dict[str, str]) -> Guess | None:
    parts = {part: Guess(form, root, why, {"split": name}) for part, name in names.items()}
    return of_parts(parts)
