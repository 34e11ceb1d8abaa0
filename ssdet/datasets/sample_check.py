"""Does a labeled sample fit its annotation? Checked on each one: it costs next to nothing."""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from PIL import Image

from ..labels import IGNORE


def mismatch(sample: Any, info: Mapping[str, Any], classes: Sequence[str]) -> str | None:
    """What is wrong with a packed sample, with its file; None if nothing is, or nothing is known.

    MMDetection and MMSegmentation check none of this: boxes of another image size are trained on,
    and a label without a class ends in an index error somewhere in a loss.
    """
    packed = sample.get("data_samples") if isinstance(sample, Mapping) else None
    packed = packed.get("sup") if isinstance(packed, Mapping) else packed
    if packed is None:
        return None
    return _size(packed, info) or _boxes(packed, info) or _labels(packed, info, classes)


def outside(path: str | None, dataset: Any) -> str | None:
    """Why the file of a data set must not be opened: an annotation led out of the data."""
    prefix = getattr(dataset, "data_prefix", None) or {}
    folders = (prefix.get("img"), prefix.get("img_path"), getattr(dataset, "data_root", None))
    roots = [root for root in folders if isinstance(root, str) and root]
    if not roots or path is None or "://" in path or any(_contains(root, path) for root in roots):
        return None
    linked = os.path.realpath(path)
    shown = "" if linked == os.path.abspath(path) else f" to {linked}"
    return (
        f"leads out of {' and '.join(dict.fromkeys(roots))}{shown}; ssdet does not open it (set "
        f"data_root to a folder that holds what its links lead to)"
    )


def _contains(root: str, path: str) -> bool:
    folder = os.path.dirname(path) or "."
    # Resolving costs a system call for each part of a path: folders are remembered.
    real = os.path.realpath(path) if os.path.islink(path) else _real(os.path.abspath(folder))
    return os.path.join(real, "").startswith(os.path.join(_real(os.path.abspath(root)), ""))


@lru_cache(maxsize=65536)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _size(packed: Any, info: Mapping[str, Any]) -> str | None:
    loaded, stated = packed.get("ori_shape"), (info.get("height"), info.get("width"))
    if loaded is None or not all(stated) or tuple(loaded[:2]) == stated:
        return None
    return (
        f"{info.get('img_path')}: the image is loaded as {loaded[1]}x{loaded[0]}, but its "
        f"annotations are for {stated[1]}x{stated[0]} pixels (was it resized, or is it turned by "
        f"its EXIF orientation?)"
    )


def _boxes(packed: Any, info: Mapping[str, Any]) -> str | None:
    boxes = getattr(packed.get("gt_instances"), "bboxes", None)
    if boxes is None:
        return None
    values = torch.as_tensor(getattr(boxes, "tensor", boxes))
    if bool(torch.isfinite(values).all()):
        return None
    return f"{info.get('img_path')}: a box that is not finite: {values.tolist()}"


def _labels(packed: Any, info: Mapping[str, Any], classes: Sequence[str]) -> str | None:
    labels = packed.get("gt_sem_seg")
    path = info.get("seg_map_path")
    if labels is None or path is None:
        return None
    wrong = labels.data[(labels.data >= max(len(classes), 1)) & (labels.data != IGNORE)]
    if classes and wrong.numel():
        return (
            f"{path}: label map with the value {int(wrong[0])}, but there are only the classes "
            f"0 ... {len(classes) - 1} and {IGNORE} (ignored)"
        )
    loaded, stored = packed.get("ori_shape"), _stored(path)
    if loaded is None or stored is None or stored == (loaded[1], loaded[0]):
        return None
    return (
        f"{path}: label map of {stored[0]}x{stored[1]} pixels, but its image is "
        f"{loaded[1]}x{loaded[0]}"
    )


def _stored(path: str) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
