"""Where the pixels of a view came from, for transforms that do not say so themselves.

MMDetection's Resize, RandomFlip, RandomCrop, Rotate, Shear and Translate write `homography_matrix`
(original pixel frame -> view); its RandomAffine and all of MMCV and MMSegmentation do not. The
wrapper here writes it for the common ones. What it does not know is left to `check_views`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose

from ..registry import TRANSFORMS
from .color_tables import by_tables

KEY = "homography_matrix"


@TRANSFORMS.register_module()
class RecordGeometry(Compose):
    """Runs transforms one after the other and keeps `homography_matrix` up to date.

    Knows the resizing, flipping and random cropping of MMCV and MMSegmentation and MMDetection's
    RandomAffine, also inside `RandomApply`, `RandomChoice` and the like. A transform that writes
    the matrix itself is left alone, so any pipeline can be wrapped.
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        super().__init__([_watched(transform) for transform in Compose(transforms)])


class Watched(BaseTransform):
    """One transform with a rule that says how it moved the pixels."""

    def __init__(self, inner: BaseTransform, rule: "Rule") -> None:
        self.inner = inner
        self.rule = rule

    def transform(self, results: dict) -> dict | None:
        """Run it; multiply its step to the matrix, unless it has done so itself."""
        before, shape = results.get(KEY), results["img"].shape[:2]
        step, after = self.rule(self.inner, results, shape)
        if after is not None and after.get(KEY) is before and step is not None:
            after[KEY] = step if before is None else step @ before
        return after

    def __repr__(self) -> str:
        return repr(self.inner)


Rule = Callable[[Any, dict, tuple[int, int]], tuple[np.ndarray | None, dict | None]]


def _resized(inner: Any, results: dict, shape: tuple[int, int]) -> tuple:
    after = inner(results)
    if after is None or after["img"].shape[:2] == shape:
        return None, after
    height, width = after["img"].shape[:2]
    return np.diag([width / shape[1], height / shape[0], 1.0]), after


def _flipped(inner: Any, results: dict, shape: tuple[int, int]) -> tuple:
    after = inner(results)
    if after is None or not after.get("flip"):
        return None, after
    step = np.eye(3)
    if after["flip_direction"] in ("horizontal", "diagonal"):
        step[0, 0], step[0, 2] = -1, shape[1]
    if after["flip_direction"] in ("vertical", "diagonal"):
        step[1, 1], step[1, 2] = -1, shape[0]
    return step, after


def _cropped(inner: Any, results: dict, shape: tuple[int, int]) -> tuple:
    with _overheard(inner, "crop_bbox") as boxes:
        after = inner(results)
    step = np.eye(3)
    if boxes:
        top, _, left, _ = boxes[-1]
        step[:2, 2] = -left, -top
    return step, after


def _warped(inner: Any, results: dict, shape: tuple[int, int]) -> tuple:
    with _overheard(inner, "_get_random_homography_matrix") as matrices:
        after = inner(results)
    # OpenCV warps indices of pixels; a homography here takes their centers to be at +0.5.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return half @ matrices[-1] @ np.linalg.inv(half), after


RULES: dict[str, Rule] = {
    "mmcv.Resize": _resized,
    "mmcv.RandomResize": _resized,
    "mmcv.RandomChoiceResize": _resized,
    "mmseg.ResizeToMultiple": _resized,
    "mmseg.ResizeShortestEdge": _resized,
    "mmcv.RandomFlip": _flipped,
    "mmseg.RandomCrop": _cropped,
    "mmdet.RandomAffine": _warped,
}


def rule_of(transform: Any) -> Rule | None:
    """How a transform moves pixels; None: it moves none, says so itself, or is not known."""
    names = (f"{base.__module__.split('.')[0]}.{base.__name__}" for base in type(transform).__mro__)
    return next((RULES[name] for name in names if name in RULES), None)


def _watched(transform: Any) -> Any:
    """The transform with a rule if there is one; the parts of a container, each for itself.

    What changes colors alone gets its tables on the way.
    """
    rule = rule_of(transform)
    if rule is not None:
        return Watched(transform, rule)
    parts = getattr(transform, "transforms", None)
    if isinstance(parts, list):
        transform.transforms = [_watched(part) for part in parts]
    elif parts is not None:  # RandomApply keeps its parts in a Compose
        transform.transforms = _watched(parts)
    return by_tables(transform)


@contextmanager
def _overheard(owner: Any, method: str) -> Iterator[list]:
    """What a method of `owner` returns while the block runs."""
    original, heard = getattr(owner, method), []

    def spy(*args: Any, **kwargs: Any) -> Any:
        heard.append(original(*args, **kwargs))
        return heard[-1]

    setattr(owner, method, spy)
    try:
        yield heard
    finally:
        delattr(owner, method)
