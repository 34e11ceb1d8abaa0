"""One evaluation, numbers for each kind of image: what the mean over all images hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation.metrics import IoUMetric
from torch import Tensor

from ..registry import METRICS

LOOKS = ("brightness", "color")
Bounds = Mapping[str, Sequence[float]]


@METRICS.register_module()
class GroupedMetric(BaseMetric):
    """The numbers of a segmentation metric over all images, and `GROUP/...` over those of a group.

    A group is a list file (a file name or stem in each line), or what its images look like:
    `dict(brightness=(100, 256), color=(0, 16))`. Both are means over the pixels as they are read
    (0 to 255): of their values, and of the difference between the highest and the lowest channel;
    the lower bound is in the group, the upper one is not. An image belongs to the first group that
    fits; one that fits none counts in the totals only. A group without an image has no number.

    Args:
        metric: Config of an `IoUMetric` or `SegmentationMetric`.
        groups: Name -> path of a list, or bounds of `brightness` and `color`.
        **kwargs: See MMEngine's `BaseMetric`.
    """

    default_prefix = ""

    def __init__(
        self, metric: dict[str, Any], *, groups: Mapping[str, str | Bounds], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.metric = METRICS.build({"_scope_": "mmseg", **metric})
        if not isinstance(self.metric, IoUMetric):
            raise ValueError(
                f"GroupedMetric: metric={type(self.metric).__name__} does not count each image "
                "separately; use IoUMetric or SegmentationMetric"
            )
        if not groups:
            raise ValueError("GroupedMetric: groups is empty; name one, or use its metric alone")
        self.groups = {name: _checked(name, rule) for name, rule in groups.items()}

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta information of the data set, which the inner metric gets, too."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict[str, Any]) -> None:
        self._dataset_meta = self.metric.dataset_meta = meta

    def set_model(self, model: Any) -> None:
        """Pass the model under evaluation to the inner metric, if it has `set_model`."""
        if hasattr(self.metric, "set_model"):
            self.metric.set_model(model)

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Count each image, and remember its group."""
        images = (data_batch or {}).get("inputs", [None] * len(data_samples))
        for image, sample in zip(images, data_samples, strict=True):
            self.metric.process(data_batch, [sample])
            group = self._group(image, sample.get("img_path", ""))
            # Kept here, so that MMEngine gathers each with its group from all processes.
            self.results += [(group, result) for result in self.metric.results]
            self.metric.results.clear()

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The metric over everything, then over each group that has an image."""
        found = dict(self.metric.compute_metrics([result for _, result in results]))
        for name in self.groups:
            members = [result for group, result in results if group == name]
            if members:
                print_log(f"{name}: {len(members)} images", MMLogger.get_current_instance())
                part = self.metric.compute_metrics(members)
                found.update({f"{name}/{key}": value for key, value in part.items()})
        return found

    def _group(self, image: Tensor | None, path: str) -> str | None:
        seen: dict[str, float] = {}
        for name, rule in self.groups.items():
            if isinstance(rule, frozenset):
                fits = bool({Path(path).name, Path(path).stem} & rule)
            else:
                seen = seen or appearance(image)
                fits = all(low <= seen[key] < high for key, (low, high) in rule.items())
            if fits:
                return name
        return None


def appearance(image: Tensor | None) -> dict[str, float]:
    """Mean brightness of an image (C, H, W), and mean difference between its channels."""
    if image is None:
        raise ValueError(
            "GroupedMetric: the batch has no `inputs`, but a group is defined by what its images "
            "look like; use list files instead"
        )
    values = image.float()
    spread = values.amax(0) - values.amin(0)
    return {"brightness": float(values.mean()), "color": float(spread.mean())}


def _checked(name: str, rule: str | Bounds) -> frozenset[str] | dict[str, tuple[float, float]]:
    if isinstance(rule, str):
        return frozenset(Path(rule).read_text(encoding="utf-8-sig").split())
    bounds = {key: tuple(pair) for key, pair in rule.items()}
    right = all(k in LOOKS and len(p) == 2 and p[0] < p[1] for k, p in bounds.items())
    if not (bounds and right):
        raise ValueError(
            f"GroupedMetric: group {name!r} is {dict(rule)!r}; give the path of a list, or "
            f"(low, high) of {' and '.join(LOOKS)}"
        )
    return bounds  # type: ignore[return-value]
