"""What changed between two dates, as far as the external label maps of both dates can say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..labels import IGNORE
from ..registry import TRANSFORMS
from ..validation import check_range
from .external_labels import DATES, KEY, DigitExternalLabels, LoadExternalLabels


@TRANSFORMS.register_module()
class LoadChangeEvents(BaseTransform):
    """Loads the external label map of each date of a pair, and derives a map of what changed.

    A vision-language model sees one image at a time. SemiCD-VL (TGRS 2024) compares what it finds
    at both dates: see `change_events`. The map of changes is what `ExternalLabelsHook` learns
    (0 unchanged, 1 changed, 255 unknown), those of the dates are for `DateDecodersHook`
    (0 nothing, 1 object, 255 unknown). List it among the `shared` transforms, after
    `LoadImagePair`, and end the views `sup` and `unsup_teacher` with `PackExternalLabels`.

    Args:
        folders: Of the label maps of the earlier and of the later date (PNG); they lie in them as
            the earlier images lie in `root`.
        root: Folder of the earlier images.
        num_classes: Of the external labels.
        objects: Those of them that are the objects which come and go, such as buildings.
        overlap: See `change_events`.
        values, required: See `LoadExternalLabels`.
    """

    def __init__(
        self,
        folders: Sequence[str],
        root: str,
        num_classes: int = 2,
        *,
        objects: Sequence[int] = (1,),
        overlap: float = 0.0,
        values: Sequence[int] | None = None,
        required: bool = True,
    ) -> None:
        name = type(self).__name__
        if isinstance(folders, str) or len(folders) != 2:
            raise ValueError(f"{name}: folders={folders!r}: give those of both dates")
        foreign = [label for label in objects if not 0 <= label < num_classes]
        if foreign or not objects:
            raise ValueError(
                f"{name}: objects={tuple(objects)}: one or more labels below {num_classes=}"
            )
        check_range(name, "overlap", overlap, 0, 1)
        options: dict[str, Any] = dict(values=values, required=required)
        self.dates = [LoadExternalLabels(one, root, num_classes, **options) for one in folders]
        self.objects, self.overlap = tuple(objects), overlap

    def transform(self, results: dict) -> dict:
        """Add `second_seg_map`, what changed (H, W), and `date_seg_maps` (2, H, W)."""
        maps = [date.transform(dict(results))[KEY] for date in self.dates]
        found = [np.isin(labels, self.objects).astype(np.uint8) for labels in maps]
        for objects, labels in zip(found, maps, strict=True):
            objects[labels == IGNORE] = IGNORE
        results[DATES] = np.stack(found)
        earlier, later = found
        results[KEY] = change_events(earlier, later, self.overlap)
        return results

    def __repr__(self) -> str:
        return f"LoadChangeEvents(folders={[str(date.folder) for date in self.dates]})"


def change_events(earlier: np.ndarray, later: np.ndarray, overlap: float = 0.0) -> np.ndarray:
    """What changed between two maps (H, W) of objects: 0 no, 1 yes, 255 unknown at either date.

    An object, connected pixels of 1 at one date, has come or gone if its IoUs with all objects of
    the other date sum to `overlap` at most. A pixel has changed if its label did and it belongs to
    such an object. So outlines that differ between the dates are no change.
    """
    before, after = (
        cv2.connectedComponents((one == 1).astype(np.uint8))[1] for one in (earlier, later)
    )
    moved = _unmatched(before, after, overlap) | _unmatched(after, before, overlap)
    events = ((earlier != later) & moved).astype(np.uint8)
    events[(earlier == IGNORE) | (later == IGNORE)] = IGNORE
    return events


def _unmatched(own: np.ndarray, other: np.ndarray, overlap: float) -> np.ndarray:
    """Where objects lie that have no counterpart, from maps of their numbers; 0 is no object."""
    areas, others = np.bincount(own.ravel()), np.bincount(other.ravel())
    pairs, shared = np.unique(
        own.ravel().astype(np.int64) * len(others) + other.ravel(), return_counts=True
    )
    mine, theirs = np.divmod(pairs, len(others))
    ious = shared / (areas[mine] + others[theirs] - shared) * (theirs > 0)
    alone = np.bincount(mine, ious, minlength=len(areas)) <= overlap
    alone[0] = False
    return alone[own]


@TRANSFORMS.register_module()
class DigitChangeEvents(BaseTransform):
    """Demo: what an imperfect source finds in each scene of a pair, and what changed accordingly.

    It misses digits at either date, and its outlines are thick: a digit that it misses once seems
    to have come or gone. List it before `LoadDigitPair`.

    Args:
        missed, rim: See `DigitExternalLabels`.
    """

    def __init__(self, missed: float = 0.1, rim: int = 1) -> None:
        self.source = DigitExternalLabels(missed, 0.0, rim)

    def transform(self, results: dict) -> dict:
        """Add `second_seg_map` (H, W) and `date_seg_maps` (2, H, W)."""
        file = results["pair"]
        classes = len(file.options.digits)
        maps = [
            self.source.labels_of(scene, classes, file.dice(7, date))
            for date, scene in enumerate(file.scenes())
        ]
        found = [np.where(labels == IGNORE, IGNORE, labels > 0).astype(np.uint8) for labels in maps]
        earlier, later = found
        results[DATES], results[KEY] = np.stack(found), change_events(earlier, later)
        return results

    def __repr__(self) -> str:
        return f"DigitChangeEvents(missed={self.source.missed}, rim={self.source.rim})"
