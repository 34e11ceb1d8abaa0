"""Scores of whole volumes, whose slices a 2D model has segmented one by one."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from numpy.typing import NDArray
from prettytable import PrettyTable

from ..formats.files import read_text
from ..formats.issues import raise_data_error
from ..labels import IGNORE
from ..registry import METRICS
from ..validation import check_choice
from .surfaces import Convention, Overlap, overlap

Labels = NDArray[np.uint8]


class Slice(NamedTuple):
    """One slice of a volume, with predicted and true labels (height, width)."""

    volume: str
    number: int
    path: str
    prediction: Labels
    truth: Labels


@METRICS.register_module()
class VolumeMetric(BaseMetric):
    """`mDice` and `mJaccard` in percent, `mHD95` and `mASD` in the unit of the spacing.

    The slices of a volume are put together before anything is counted. Each number is a mean over
    the volumes for each class, then over the classes. This is what papers on medical images
    report; a Dice over all slices together favors large organs.

    HD95 is the 95th percentile of the distances between the two surfaces, ASD the mean distance
    from the predicted to the true one. Where a class is neither there nor predicted, a volume does
    not count for it. Where only one of the two is empty, Dice is 0 and there is no distance; how
    often that was is printed, since the distances look better for it.

    Args:
        volume: Regular expression for the path of an image. Its first group is the volume, its
            second one the number of the slice.
        spacing: Size of a voxel (slices, rows, columns) in mm, the same for all volumes; or a CSV
            file with the columns `volume,z,y,x`. None: 1, so that distances are in voxels.
        background: The class that is no object. None: all classes are.
        convention: 'medpy', as the codes of SSL4MIS and BCP use it: HD95 over both directions
            together. 'monai': the larger one of both directions.
        ignore_index: Label of pixels that do not count.
        **kwargs: See MMEngine's `BaseMetric`.
    """

    default_prefix = "volume"

    def __init__(
        self,
        *,
        volume: str = r"([^/]+?)_?slice_?(\d+)",
        spacing: Sequence[float] | str | None = None,
        background: int | None = 0,
        convention: Convention = "medpy",
        ignore_index: int = IGNORE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("VolumeMetric", "convention", convention, Convention)
        self.pattern = _pattern(volume)
        self.spacing = _spacing(spacing)
        self.background, self.convention = background, convention
        self.ignore_index = ignore_index

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the labels of each slice."""
        for sample in data_samples:
            path = Path(sample["img_path"]).as_posix()
            match = self.pattern.search(path)
            if match is None:
                raise_data_error(
                    "slice of an unknown volume",
                    path,
                    found=f"a path in which {self.pattern.pattern!r} is not found",
                    allowed="paths that name the volume and the number of the slice",
                    advice="Set VolumeMetric's `volume`, such as r'(patient\\d+)/slice_(\\d+)'",
                )
            prediction, truth = (
                sample[key]["data"].squeeze(0).cpu().numpy().astype(np.uint8)
                for key in ("pred_sem_seg", "gt_sem_seg")
            )
            self.results.append(Slice(match[1], int(match[2]), path, prediction, truth))

    def compute_metrics(self, results: list[Slice]) -> dict[str, float]:
        """The means, and a table of the classes."""
        volumes: dict[str, list[Slice]] = {}
        for each in itertools.starmap(Slice, results):  # MMEngine makes plain tuples of them
            volumes.setdefault(each.volume, []).append(each)
        classes = self.dataset_meta["classes"]
        kept = [label for label in range(len(classes)) if label != self.background]
        scores = np.array([self._scores(name, s, kept) for name, s in volumes.items()])
        means = _means(scores, axis=0)
        self._print([classes[label] for label in kept], scores, means)
        overall = dict(zip(Overlap._fields, _means(means, axis=0).tolist(), strict=True))
        names = {"dice": "mDice", "jaccard": "mJaccard", "hd95": "mHD95", "asd": "mASD"}
        # A number that is not defined for any volume is left out: there is nothing to compare.
        return {names[key]: value for key, value in overall.items() if not np.isnan(value)}

    def _scores(self, name: str, slices: list[Slice], labels: Sequence[int]) -> list[Overlap]:
        prediction, truth = stack(slices)
        judged = truth != self.ignore_index
        spacing = self.spacing
        if isinstance(spacing, Mapping):
            if name not in spacing:
                raise_data_error(
                    "volume without a spacing",
                    slices[0].path,
                    found=f"volume {name!r}",
                    allowed=f"one of the {len(spacing)} volumes of the table",
                    advice="Add a row for it, or correct VolumeMetric's `volume`",
                )
            spacing = spacing[name]
        found = [
            overlap((prediction == k) & judged, (truth == k) & judged, spacing, self.convention)
            for k in labels
        ]
        return [Overlap(100 * o.dice, 100 * o.jaccard, o.hd95, o.asd) for o in found]

    def _print(
        self, classes: Sequence[str], scores: NDArray[np.float64], means: NDArray[np.float64]
    ) -> None:
        unit = "voxels" if self.spacing is None else "mm"
        table = PrettyTable(title=f"{len(scores)} volumes, {self.convention}, distances in {unit}")
        table.add_column("Class", [*classes, "mean"])
        for column, name in enumerate(("Dice", "Jaccard", "HD95", "ASD")):
            values = [*means[:, column], _means(means[:, column], axis=0)]
            table.add_column(name, np.round(values, 2).tolist())
        logger = MMLogger.get_current_instance()
        print_log(f"\n{table.get_string()}", logger)
        one_sided = np.isnan(scores[..., 2]) & ~np.isnan(scores[..., 0])
        for name, count in zip(classes, one_sided.sum(0).tolist(), strict=True):
            if count:
                print_log(
                    f"{name}: no distance in {count} of {len(scores)} volumes, where it was not "
                    "found, or found though it is not there; Dice counts them as 0",
                    logger,
                )


def stack(slices: Sequence[Slice]) -> tuple[Labels, Labels]:
    """Prediction and truth of a volume (slices, rows, columns), in the order of the numbers."""
    ordered = sorted(slices, key=lambda each: each.number)
    for last, each in itertools.pairwise(ordered):
        if each.number != last.number + 1:
            raise_data_error(
                "volume with a gap" if each.number > last.number else "slice that is there twice",
                each.path,
                found=f"slice {each.number} after slice {last.number}",
                allowed="numbers without a gap, each once",
                advice="Complete the list; distances across a gap would be wrong",
            )
        if each.truth.shape != last.truth.shape:
            raise_data_error(
                "slices of different sizes",
                each.path,
                found=f"{each.truth.shape} after {last.truth.shape}",
                allowed="one size for all slices of a volume",
                advice="Export the volume again, or correct VolumeMetric's `volume`",
            )
    return np.stack([s.prediction for s in ordered]), np.stack([s.truth for s in ordered])


def _means(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Means over what is defined; NaN where nothing is."""
    known = ~np.isnan(values)
    counts = known.sum(axis)
    sums = np.where(known, values, 0.0).sum(axis)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _pattern(volume: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(volume)
    except re.error as error:
        raise ValueError(
            f"VolumeMetric: volume={volume!r} is no regular expression: {error}"
        ) from None
    if pattern.groups != 2:
        raise ValueError(
            f"VolumeMetric: volume={volume!r} has {pattern.groups} groups; give two: the volume, "
            r"and the number of the slice, as in '(patient\d+)_slice_(\d+)'"
        )
    return pattern


def _spacing(
    spacing: Sequence[float] | str | None,
) -> tuple[float, ...] | dict[str, tuple[float, ...]] | None:
    if spacing is None:
        return None
    if not isinstance(spacing, str):
        return _sizes(spacing, "VolumeMetric: spacing")
    rows = csv.DictReader(read_text(Path(spacing)).splitlines())
    columns = {"volume", "z", "y", "x"}
    if not columns <= set(rows.fieldnames or ()):
        raise_data_error(
            "table of spacings with other columns",
            spacing,
            found=rows.fieldnames,
            allowed="volume,z,y,x in the first line",
            advice="One row for each volume, sizes in mm",
        )
    return {
        row["volume"]: _sizes([row[axis] for axis in "zyx"], f"{spacing}, line {rows.line_num}")
        for row in rows
    }


def _sizes(values: Sequence[Any], where: str) -> tuple[float, ...]:
    try:
        sizes = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) != 3 or not all(0 < size < float("inf") for size in sizes):
        raise ValueError(
            f"{where}: {list(values)!r} is no size of a voxel; give three numbers above 0: "
            "slices, rows, columns"
        )
    return sizes
