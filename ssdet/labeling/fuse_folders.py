"""Folders of label maps, or of probabilities, of several models fused into one folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from ..exits import UsageError
from ..formats.issues import raise_data_error
from ..formats.options import option
from ..formats.write import may_write
from ..labels import IGNORE
from ..messages import warn
from .fuse_maps import DawidSkene, majority, mean_probability, patterns

MapMode = Literal["majority", "mean", "dawid-skene"]
_FITTED = 200  # images, spread over all, that Dawid-Skene is fitted to


@dataclass
class MapResult:
    """What was written.

    Attributes:
        images: Their number.
        unknown: Share of their pixels that is 255.
        reliability: Precision of each source for each label (S, C); ones where nothing is known.
    """

    images: int
    unknown: float
    reliability: np.ndarray


def fuse_folders(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    classes: int,
    mode: MapMode = "majority",
    min_score: float = 0.0,
    truth: str | Path | None = None,
    force: bool = False,
) -> MapResult:
    """Fuse label maps (`.png`, a value is its label, 255 unknown) or probabilities (`.npy`).

    Args:
        sources: Folders; the map of an image has the same name in each of them.
        out: Folder of the fused maps.
        classes: Number of classes.
        mode: "majority" of the labels, weighed by the precision of each source for the label it
            says; "mean" of the probabilities (C, H, W), weighed by the mean precision;
            "dawid-skene": labels by the confusion of each source, counted in the true maps, or
            estimated without any.
        min_score: With "mean" and "dawid-skene", a pixel below this probability becomes 255.
        truth: Folder of true maps of some images. None: all sources are alike.
        force: Overwrite existing maps.
    """
    folders = [Path(source) for source in sources]
    names = _names(folders, ".npy" if mode == "mean" else ".png")
    trust = np.ones((len(folders), classes))
    if truth is not None:
        trust = _precision(folders, Path(truth), classes, names)
    model = DawidSkene(len(folders), classes) if mode == "dawid-skene" else None
    if model is not None:
        _fit(model, folders, names, classes, truth)
    unknown = 0.0
    for name in names:
        if mode == "mean":
            fused = mean_probability(
                _probabilities(folders, name, classes), trust.mean(1), min_score
            )
        elif model is not None:
            fused = _posterior(model, _stack(folders, name, classes), min_score)
        else:
            fused = majority(_stack(folders, name, classes), trust)
        target = (Path(out) / name).with_suffix(".png")
        may_write(target, force=force)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(fused).save(target)
        unknown += float((fused == IGNORE).mean())
    return MapResult(len(names), unknown / len(names), trust)


def _fit(
    model: DawidSkene, folders: list[Path], names: list[str], classes: int, truth: str | Path | None
) -> None:
    """The confusions of the sources, from true maps where there are any."""
    if truth is None:
        chosen = names[:: max(1, len(names) // _FITTED)]
        model.fit(*patterns(_stack(folders, name, classes) for name in chosen))
        return
    known = [name for name in names if (Path(truth) / name).is_file()]
    rows, counts = patterns(_stack([*folders, Path(truth)], name, classes) for name in known)
    model.learn(rows[:, :-1], counts, rows[:, -1])


def _posterior(model: DawidSkene, maps: np.ndarray, min_score: float) -> np.ndarray:
    rows, inverse = np.unique(maps.reshape(len(maps), -1).T, axis=0, return_inverse=True)
    shares = model.posterior(rows.astype(int))
    sure = (shares.max(1) >= min_score) & (rows != IGNORE).any(1)
    labels = np.where(sure, shares.argmax(1), IGNORE).astype(np.uint8)
    return labels[inverse.ravel()].reshape(maps.shape[1:])


def _names(folders: list[Path], suffix: str) -> list[str]:
    """The maps that all sources have."""
    found = []
    for folder in folders:
        files = {path.relative_to(folder).as_posix() for path in folder.rglob(f"*{suffix}")}
        if not files:
            raise_data_error(
                f"no {suffix} in a source", folder,
                found="none", allowed=f"a {suffix} for each image",
                advice="Label maps are .png; probabilities (C, H, W), for "
                f"{option('mode', 'mean')}, are .npy",
            )  # fmt: skip
        found.append(files)
    common = set.intersection(*found)
    if not common:
        raise_data_error(
            "sources without a common image", folders[-1], found=f"maps such as {min(found[-1])!r}",
            allowed=f"names as in {folders[0]}: {min(found[0])!r}",
            advice="Give both the same names",
        )  # fmt: skip
    left_out = set.union(*found) - common
    if left_out:
        warn(f"{len(left_out)} maps are left out, as not every source has them: {min(left_out)}...")
    return sorted(common)


def _stack(folders: list[Path], name: str, classes: int) -> np.ndarray:
    """The maps of an image (S, H, W)."""
    return np.stack(list(_same_size([(f / name, _labels(f / name, classes)) for f in folders])))


def _labels(path: Path, classes: int) -> np.ndarray:
    with Image.open(path) as image:
        labels = np.asarray(image)
    wrong = labels[(labels >= classes) & (labels != IGNORE)] if labels.ndim == 2 else labels[:1]
    if labels.ndim != 2 or wrong.size:
        raise_data_error(
            "label map that cannot be used", path,
            found="a color image" if labels.ndim != 2 else f"value {int(wrong.flat[0])}",
            allowed=f"one channel with 0 ... {classes - 1}, or 255 where the label is unknown",
            advice="`ssdet convert --to masks` writes such maps",
        )  # fmt: skip
    return labels.astype(np.uint8)


def _probabilities(folders: list[Path], name: str, classes: int) -> list[np.ndarray]:
    maps = []
    for folder in folders:
        path = folder / name
        one = np.load(path, allow_pickle=False)
        if one.ndim != 3 or len(one) != classes or not np.isfinite(one).all():
            raise_data_error(
                "probabilities that cannot be used", path, found=f"an array of {one.shape}",
                allowed=f"finite numbers of the shape ({classes}, height, width)",
                advice="Set --classes, or write them again",
            )  # fmt: skip
        maps.append((path, one.astype(np.float64)))
    return list(_same_size(maps))


def _same_size(maps: list[tuple[Path, np.ndarray]]) -> Iterator[np.ndarray]:
    first = maps[0][1].shape
    for path, one in maps:
        if one.shape != first:
            raise_data_error(
                "maps of different sizes", path, found=f"{one.shape}",
                allowed=f"{first}, as {maps[0][0]}", advice="Resize neither; write both again",
            )  # fmt: skip
        yield one


def _precision(folders: list[Path], truth: Path, classes: int, names: list[str]) -> np.ndarray:
    """Precision of each source for each label it says (S, C), on the images with a true map."""
    said, right = np.zeros((2, len(folders), classes))
    seen = 0
    for name in names:
        path = (truth / name).with_suffix(".png")
        if not path.is_file():
            continue
        real = _labels(path, classes)
        seen += bool((real != IGNORE).any())
        maps = [(file, _said(file, classes)) for file in (folder / name for folder in folders)]
        _, *all_said = _same_size([(path, real), *maps])
        for number, one in enumerate(all_said):
            both = (one != IGNORE) & (real != IGNORE)
            said[number] += np.bincount(one[both], minlength=classes)
            right[number] += np.bincount(one[both & (one == real)], minlength=classes)
    if not seen:
        raise UsageError(
            f"{option('truth', str(truth))}: none of the {len(names)} maps has a true one with "
            f"labels there; the first would be {(truth / names[0]).with_suffix('.png')}"
        )
    overall = right.sum(1, keepdims=True) / np.maximum(said.sum(1, keepdims=True), 1)
    return np.where(said > 0, right / np.maximum(said, 1), overall)


def _said(file: Path, classes: int) -> np.ndarray:
    """The labels (H, W) that a source says: those of its map, or the most probable ones."""
    if file.suffix == ".npy":
        return _probabilities([file.parent], file.name, classes)[0].argmax(0)
    return _labels(file, classes)
