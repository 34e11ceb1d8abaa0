"""Before training: does every transform of the unlabeled views record how it moves pixels?

Pseudo labels travel from the weak to the strong view through `homography_matrix`. A transform that
moves pixels silently (MMDetection's Expand, RandomShift, Mosaic, ...) would misplace each of
them, and nothing would look broken. So each transform gets an image full of edges, and the edges
of what it returns must lie where the recorded matrix puts them. Color may change; places may not.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from ..registry import HOOKS
from .bad_images import unreadable
from .geometry_record import KEY, Watched
from .sampler import LabeledUnlabeledSampler
from .seeding import seeded

TRIALS = 12  # of each transform, since many do something else every time
_TILES = 4  # the image is compared in 4 x 4 tiles, so that erased ones do not decide
_AGREEMENT = 0.3  # correlation of edges; an image shifted by 1, 2, 3 pixels has 0.8, 0.4, 0.15
_ENOUGH = 5  # of up to 16 tiles: their 75 % quantile agrees then, whatever is in the others
_SIDE = 80  # pixels of a tile; comparing more of a large image would only take longer
_MARGIN = 8  # pixels around a tile that the filters of its edges reach
_LARGEST = 640  # pixels of a side: more would take memory, and show nothing new
_ADVICE = (
    "Take such transforms out of the unlabeled views, or use those that record their geometry: "
    "MMDetection's Resize, RandomFlip, RandomCrop(allow_negative_crop=True), Rotate, Shear, "
    "Translate; in WeakStrongViews or RecordGeometry also RandomAffine and the resizing, "
    "RandomFlip and RandomCrop of MMCV and MMSegmentation."
)


class ViewGeometryError(ValueError):
    """Transforms move pixels and do not record how: one line for each."""

    advice = _ADVICE

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        what = "Transforms that do not record their geometry, so pseudo labels would be misplaced:"
        lines = [what, *problems, self.advice]
        super().__init__("\n".join(lines))


def check_views(dataset: Any) -> None:
    """Check every unlabeled view of a training set; raise `ViewGeometryError` naming each issue.

    Views are those of `WeakStrongViews` and of MMDetection's `MultiBranch` whose branch is called
    'unsup...'. The first sample of each source is loaded; random states stay as they are.
    """
    problems: list[str] = []
    for source in _sources(dataset):
        for branch, steps, attaches in _unlabeled_views(source):
            with seeded(0):
                problems += _Line(branch, attaches).check(steps, _readable_sample(source))
    if problems:
        raise ViewGeometryError(list(dict.fromkeys(problems)))


@HOOKS.register_module()
class ViewCheckHook(Hook):
    """Before training starts: are the views sound, and do data loader, sampler and loop agree?"""

    def before_train(self, runner: Runner) -> None:
        """Raise an error that names what does not match."""
        loader = runner.train_loop.dataloader
        sampler = loader.sampler
        if isinstance(sampler, LabeledUnlabeledSampler):
            if loader.batch_size not in (None, sampler.batch_size):
                raise ValueError(
                    f"train_dataloader: batch_size={loader.batch_size}, but its sampler composes "
                    f"batches of {sampler.batch_size} (batch={sampler.batch}); make them equal"
                )
            if isinstance(runner.train_loop, EpochBasedTrainLoop) and not sampler.epoch_length:
                raise ValueError(
                    f"train_dataloader: set epoch_length of the sampler, or EpochBasedTrainLoop "
                    f"never ends its first epoch; epoch_length={sampler.pass_length} is one pass "
                    f"over the last source"
                )
        check_views(loader.dataset)


class _Line:
    """One view: its transforms in a row, each tried on a fresh test image."""

    def __init__(self, branch: str, attaches: bool) -> None:
        self.branch = branch
        self.attaches = attaches  # the matrix reaches the data sample without the packing transform
        self.problems: list[str] = []
        self.used_geometry = False

    def check(self, steps: list[Any], results: dict) -> list[str]:
        """Follow one sample through the view; what is wrong, one line for each issue."""
        for step in steps:
            if "img" in results:
                for part in _parts(step):
                    self._try(part, results)
            try:
                results = step(results)
            except Exception as error:
                if not self.problems:  # the part that is to blame was named already
                    self._report(step, f"fails on an unlabeled sample: {error!r}")
                break
            if results is None or "data_samples" in results:
                self._check_packed(step, results)
                break
            if "img" in results:
                results["img"] = _test_picture(results["img"])
                if KEY not in results:
                    _shrink(results)
        return self.problems

    def _try(self, part: Any, results: dict) -> None:
        if hasattr(part, "get_indexes") or hasattr(part, "get_indices"):
            self._report(part, "mixes several images, which no homography describes")
            return
        refused = 0
        for trial in range(TRIALS):
            given = copy.deepcopy(results)
            if trial % 4 == 3:
                _add_boxes(given)  # some transforms only act on annotated images
            try:
                with seeded(trial):
                    after = (_certain(part) if trial % 2 else part)(given)
            except Exception as error:
                self._report(part, f"fails on an unlabeled sample: {error!r}")
                return
            if after is None:
                refused += 1
            elif "img" in after and not self._followed(part, results, after):
                self._report(part, "moves pixels without recording it in homography_matrix")
                return
        if refused > TRIALS * 0.7:
            self._report(part, f"refused an unlabeled sample {refused} times in {TRIALS}")

    def _followed(self, part: Any, before: dict, after: dict) -> bool:
        step = _matrix(after) @ np.linalg.inv(_matrix(before))
        self.used_geometry |= not np.allclose(step, np.eye(3), atol=1e-6)
        return in_place(before["img"], after["img"], step)

    def _check_packed(self, step: Any, results: dict | None) -> None:
        sample = results and results.get("data_samples")
        if self.attaches or not self.used_geometry or not sample:
            return
        # This sample may not have been moved, so what counts is the list of the transform.
        kept = getattr(step, "meta_keys", sample.metainfo_keys())
        if KEY not in kept:
            keys = (*kept, KEY)
            self.problems.append(
                f"  {self.branch}: {_name(step)} drops homography_matrix; set meta_keys={keys}"
            )

    def _report(self, part: Any, what: str) -> None:
        self.problems.append(f"  {self.branch}: {_name(part)} {what}")


def in_place(before: np.ndarray, after: np.ndarray, step: np.ndarray) -> bool:
    """Whether the edges of `after` lie where the homography `step` puts those of `before`.

    True also when there is nothing to compare (a blank image, nothing of `before` in view).
    """
    if before is after or (before.shape == after.shape and np.array_equal(before, after)):
        return bool(np.allclose(step, np.eye(3), atol=1e-3))
    whole = _gray(before), np.ones(before.shape[:2], np.float32)
    tiles = _tiles(after.shape[0], after.shape[1])
    agreements: list[float] = []
    for rows, columns in tiles:
        one = _agreement(whole, after, step, rows, columns)
        agreements += [] if one is None else [one]
        if sum(one > _AGREEMENT for one in agreements) == _ENOUGH:
            return True
    return not agreements or float(np.quantile(agreements, 0.75)) > _AGREEMENT


def _agreement(
    before: tuple[np.ndarray, np.ndarray],
    after: np.ndarray,
    step: np.ndarray,
    rows: range,
    columns: range,
) -> float | None:
    """Correlation of the edges in a tile; None if it does not show enough of both images.

    `before` is a gray image, and ones of its size to see where the tile is inside of it.
    """
    top, left = max(rows.start - _MARGIN, 0), max(columns.start - _MARGIN, 0)
    seen = after[top : rows.stop + _MARGIN, left : columns.stop + _MARGIN]
    size = seen.shape[1::-1]
    centers = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV counts from them
    window = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    place = np.linalg.inv(centers) @ window @ step @ centers
    expected, inside = (cv2.warpPerspective(one, place, size) for one in before)
    inside = cv2.erode(inside, np.ones((7, 7)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    tile = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    visible = inside[tile] > 0.99
    if visible.sum() < max(25, visible.size / 3):
        return None
    a, b = _edges(expected)[tile][visible], _edges(_gray(seen))[tile][visible]
    return float(np.corrcoef(a, b)[0, 1]) if min(a.std(), b.std()) > 1e-2 else None


def _tiles(height: int, width: int) -> Iterator[tuple[range, range]]:
    """Tiles spread evenly over an image: the whole of a small one, the middles of a large one."""
    for rows in np.array_split(np.arange(height), _TILES):
        for columns in np.array_split(np.arange(width), _TILES):
            if len(rows) and len(columns):
                yield _middle(rows), _middle(columns)


def _middle(numbers: np.ndarray) -> range:
    start = int(numbers[0]) + max(len(numbers) - _SIDE, 0) // 2
    return range(start, start + min(len(numbers), _SIDE))


def _edges(gray: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(gray, (0, 0), 1.0)
    return np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))


def _gray(image: np.ndarray) -> np.ndarray:
    image = np.ascontiguousarray(image, np.float32)
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return image.reshape(*image.shape[:2], -1).mean(-1)


def _test_picture(image: np.ndarray) -> np.ndarray:
    """An image of the same shape and type with edges of every size everywhere."""
    height, width = image.shape[:2]
    bits = np.random.Generator(np.random.PCG64(0))
    canvas = np.zeros((height, width), np.float32)
    for cell in (3, 6, 12, 24, 48, 96):
        grid = bits.random((height // cell + 2, width // cell + 2), np.float32) - 0.5
        canvas += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    canvas = (canvas - canvas.min()) / max(float(np.ptp(canvas)), 1e-6) * 255
    return (
        np.stack([canvas] * (image.size // canvas.size), -1)
        .reshape(image.shape)
        .astype(image.dtype)
    )


def _shrink(results: dict) -> None:
    """Make the picture of a large image smaller, before a transform has moved anything."""
    shape = results["img"].shape[:2]
    if max(shape) <= _LARGEST or "gt_seg_map" in results or len(results.get("gt_bboxes", ())):
        return
    sides = [max(side * _LARGEST // max(shape), 1) for side in shape]
    results["img"] = np.ascontiguousarray(results["img"][: sides[0], : sides[1]])
    for key in ("img_shape", "ori_shape", "pad_shape"):
        if key in results:
            results[key] = tuple(sides)


def _sources(dataset: Any) -> Iterator[Any]:
    """The data sets inside concatenations and other wrappers."""
    if hasattr(dataset, "datasets"):
        for part in dataset.datasets:
            yield from _sources(part)
    elif hasattr(dataset, "dataset"):
        yield from _sources(dataset.dataset)
    elif hasattr(dataset, "pipeline"):
        yield dataset


def _readable_sample(source: Any) -> dict:
    """The first sample whose file can be read; data sets without files have no bad ones."""
    for index in range(min(len(source), 10)):
        info = source.get_data_info(index)
        if unreadable(info.get("img_path")) is None:
            return info
    return source.get_data_info(0)


def _unlabeled_views(source: Any) -> Iterator[tuple[str, list[Any], bool]]:
    steps: list[Any] = []
    for step in source.pipeline.transforms:
        views = getattr(step, "views", None) or getattr(step, "branch_pipelines", None)
        if views:
            shared = list(getattr(step, "shared", []))
            for branch, view in views.items():
                if branch.startswith("unsup"):
                    yield branch, [*steps, *shared, *view.transforms], hasattr(step, "views")
            return
        steps.append(step)


def _parts(step: Any) -> Iterator[Any]:
    """The transforms inside a container of transforms, or the transform itself."""
    inner = getattr(step, "transforms", None)
    if inner is None:
        yield step
        return
    for part in inner if isinstance(inner, (list, tuple)) else [inner]:
        yield from _parts(part)


def _matrix(results: dict) -> np.ndarray:
    matrix = results.get(KEY)
    return np.eye(3) if matrix is None else np.asarray(matrix, np.float64)


def _certain(part: Any) -> Any:
    """A copy of a transform that acts every time, where it says how often it does."""
    part = copy.copy(part)
    if isinstance(part, Watched):
        part.inner = _certain(part.inner)
    elif isinstance(getattr(part, "prob", None), float):
        part.prob = 1.0
    return part


def _add_boxes(results: dict) -> None:
    """Four boxes where a sample of a detection pipeline has an empty set of them."""
    boxes = results.get("gt_bboxes")
    if boxes is None:
        return
    height, width = results["img"].shape[:2]
    corners = [(x, y) for x in (0.2, 0.6) for y in (0.2, 0.6)]
    sides = np.array([(x, y, x + 0.2, y + 0.2) for x, y in corners], np.float32)
    sides *= np.array([width, height, width, height], np.float32)
    results["gt_bboxes"] = sides if isinstance(boxes, np.ndarray) else type(boxes)(sides)
    results["gt_bboxes_labels"] = np.zeros(len(sides), np.int64)
    results["gt_ignore_flags"] = np.zeros(len(sides), bool)


def _name(step: Any) -> str:
    return type(step.inner if isinstance(step, Watched) else step).__name__
