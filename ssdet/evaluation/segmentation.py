"""The metric of semantic segmentation: mIoU, Dice, boundary F-score, and their protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation.metrics import IoUMetric
from prettytable import PrettyTable

from ..registry import METRICS
from .boundaries import BoundaryCounts, boundary_counts, f_score

PROTOCOL = ("data", "resolution")


@METRICS.register_module()
class SegmentationMetric(IoUMetric):
    """`mIoU`, `mDice` and `mBoundaryF` in percent, under the name of their protocol.

    Intersections, unions and edge pixels are summed over the whole data set before the ratios are
    taken, class by class; the mean goes over the classes that appear in labels or predictions. The
    boundary F-score is that of Csurka et al. 2013 with sums instead of a mean over images: an
    edge pixel is right if the other map has an edge of the same class within the tolerance.

    Args:
        protocol: What a number must be quoted with: `data` (data set, split and lists) and
            `resolution`; how the model sees an image (whole, or in windows) is read from
            its `test_cfg`. Printed above the tables; None: "not named", and a number under it
            should be quoted nowhere.
        boundary: Tolerance of the boundary F-score: below 1 a share of the diagonal (0.0075 is
            usual), else pixels. None leaves it out; it takes longer than all the rest.
        **kwargs: See MMSegmentation's `IoUMetric`, `iou_metrics` apart.
    """

    def __init__(
        self,
        *,
        protocol: Mapping[str, str] | None = None,
        boundary: float | None = 0.0075,
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        if boundary is not None and not boundary > 0:
            raise ValueError(
                f"{name}: boundary={boundary!r} is not above 0; give a share of the diagonal "
                "(0.0075), a number of pixels (3), or None"
            )
        if protocol is not None and set(protocol) != set(PROTOCOL):
            raise ValueError(
                f"{name}: protocol={dict(protocol)!r} has the keys {sorted(protocol)}; give "
                f"exactly {list(PROTOCOL)}"
            )
        super().__init__(iou_metrics=["mIoU", "mDice"], **kwargs)
        self.protocol, self.boundary = protocol, boundary
        self.inference = "inference not known"

    @property
    def title(self) -> str:
        """The protocol in one line."""
        named = [self.protocol[key] for key in PROTOCOL] if self.protocol else ["not named"]
        return " | ".join([*named, self.inference])

    def set_model(self, model: Any) -> None:
        """Read from the model under evaluation how it sees an image."""
        self.inference = inference_of(getattr(model, "role", model).test_cfg)

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Count one batch."""
        start = len(self.results)
        super().process(data_batch, data_samples)
        if self.format_only or self.boundary is None:
            return
        for number, sample in enumerate(data_samples, start=start):
            self.results[number] = (*self.results[number], self._edges(sample))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The means, and a table of all classes under the protocol's name."""
        if self.format_only or not results:
            return dict(super().compute_metrics(results))
        areas = [sum(column) for column in zip(*(each[:4] for each in results), strict=True)]
        found = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
        overall = float(found.pop("aAcc"))
        if self.boundary is not None:
            found["BoundaryF"] = self._boundary(results)
        means = {f"m{key}": _percent(np.nanmean(value)) for key, value in found.items()}
        self._print(found, means)
        return {"aAcc": _percent(overall), **means}

    def _boundary(self, results: list[Any]) -> Any:
        summed = [sum(each) for each in zip(*(one[4] for one in results), strict=True)]
        scores = f_score(BoundaryCounts(*summed))
        return scores if self.nan_to_num is None else np.nan_to_num(scores, nan=self.nan_to_num)

    def _edges(self, sample: dict[str, Any]) -> BoundaryCounts:
        prediction, truth = (
            sample[key]["data"].squeeze().cpu().numpy().astype(np.int64)
            for key in ("pred_sem_seg", "gt_sem_seg")
        )
        return boundary_counts(
            prediction,
            truth,
            classes=len(self.dataset_meta["classes"]),
            tolerance=self.boundary or 0.0,
            ignore=self.ignore_index,
        )

    def _print(self, found: Mapping[str, Any], means: Mapping[str, float]) -> None:
        table = PrettyTable(title=f"protocol: {self.title}")
        table.add_column("Class", [*self.dataset_meta["classes"], "mean"])
        for key, value in found.items():
            table.add_column(key, [*np.round(np.asarray(value) * 100, 2), means[f"m{key}"]])
        if self.boundary is not None:
            of = "of the diagonal" if self.boundary < 1 else "pixels"
            print_log(
                f"boundary tolerance: {self.boundary:g} {of}", MMLogger.get_current_instance()
            )
        print_log(f"\n{table.get_string()}", MMLogger.get_current_instance())


def inference_of(test_cfg: Mapping[str, Any]) -> str:
    """How a segmentor of MMSegmentation sees an image: whole, or in which windows."""
    if test_cfg.get("mode", "whole") == "whole":
        return "whole image"
    window, stride = test_cfg["crop_size"], test_cfg["stride"]
    return f"windows {window[0]}x{window[1]}, stride {stride[0]}x{stride[1]}"


def _percent(value: Any) -> float:
    return round(float(value) * 100, 2)
