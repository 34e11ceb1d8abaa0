"""A fold of the labeled images that is not trained on, so that the teacher can be judged by it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset

from .splits import paths_checksum, priorities

LARGEST = 0.5  # share of the labeled images


def hold_out(source: BaseDataset, share: float) -> BaseDataset:
    """Take a share of the images away from a labeled source; they become a source of their own."""
    infos = [source.get_data_info(number) for number in range(len(source))]
    chosen = fold_of(infos, share, len(source.metainfo.get("classes") or ()))
    if not 0 < len(chosen) < len(infos):
        raise ValueError(
            f"LabeledUnlabeledDataset: held_out={share} of the {len(infos)} labeled images of a "
            f"{type(source).__name__} leaves no image on one of the two sides; label more images, "
            "or train without thresholds that are calibrated"
        )
    fold: BaseDataset = source.get_subset(chosen)
    left_out = set(chosen)
    source.get_subset_([number for number in range(len(infos)) if number not in left_out])
    return fold


def fold_of(infos: Sequence[dict[str, Any]], share: float, classes: int) -> list[int]:
    """The positions of the images that are held out: a function of their names and labels.

    Every class stays among the images to train on, and comes into the fold as far as it can. Where
    the labels are not known before an image is loaded (label maps), chance decides.
    """
    paths = [str(info.get("img_path", number)) for number, info in enumerate(infos)]
    root = os.path.commonpath([os.path.dirname(path) or "." for path in paths]) if paths else ""
    names = [os.path.relpath(path, root or ".") for path in paths]
    labels: dict[str, set[int]] = {}
    for name, info in zip(names, infos, strict=True):
        found = labels.setdefault(name, set())
        found |= {
            one["bbox_label"] for one in info.get("instances", ()) if not one.get("ignore_flag")
        }
    count = max(1, round(share * len(labels)))
    first = priorities(list(labels), labels.__getitem__, classes)
    seen: set[int] = set()
    others = []
    for name in first:
        if labels[name] <= seen:
            others.append(name)
        seen |= labels[name]
    fold = set(priorities(others, labels.__getitem__, classes)[:count])
    return [number for number, name in enumerate(names) if name in fold]


def fold_checksum(fold: BaseDataset) -> str:
    """The checksum of the names of its images."""
    infos = (fold.get_data_info(number) for number in range(len(fold)))
    return paths_checksum(str(info.get("img_path")) for info in infos)
