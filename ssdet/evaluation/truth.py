"""The labeled objects of validation images, in the frame in which predictions are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import BaseDataElement
from torch import Tensor

REMEMBERED = 256  # images; teacher, student and the pictures ask for the same ones

Objects = tuple[Tensor, Tensor]  # boxes (N, 4) of the image as it is stored, and their classes (N,)


class BoxTruth:
    """Finds the objects of a sample: the pipeline of a validation need not load them.

    Taken are the objects that the sample names (`instances`), those that the data set lists for
    its image, or its `gt_instances`. Only the last ones can lie in another frame. Objects to
    ignore (crowds, difficult ones) are left out.

    Args:
        dataset: Of the validation; None: samples alone are asked.
    """

    def __init__(self, dataset: Any = None) -> None:
        self.dataset: Any = dataset if hasattr(dataset, "get_data_info") else None
        self._places: dict[str, int] | None = None
        self._recent: dict[str, Objects | None] = {}

    def of(self, sample: BaseDataElement) -> Objects | None:
        """Boxes and classes; None where nothing is known of this image."""
        listed = sample.metainfo.get("instances")
        if isinstance(listed, Sequence):
            return _listed(listed)
        path = str(sample.metainfo.get("img_path") or "")
        if path not in self._recent:
            if len(self._recent) >= REMEMBERED:
                self._recent.clear()
            self._recent[path] = self._in_dataset(path)
        if (found := self._recent[path]) is not None:
            return found
        truth = sample.get("gt_instances")
        if truth is None or "bboxes" not in truth or "labels" not in truth:
            return None
        return get_box_tensor(truth.bboxes).cpu(), truth.labels.cpu()

    def _in_dataset(self, path: str) -> Objects | None:
        if self.dataset is None or not path:
            return None
        if self._places is None:
            self._places = self._count()
        place = self._places.get(path, -1)
        return None if place < 0 else _listed(self.dataset.get_data_info(place)["instances"])

    def _count(self) -> dict[str, int]:
        """The place of each image in the data set; -1 where two have one path."""
        places: dict[str, int] = {}
        for number in range(len(self.dataset)):
            info = self.dataset.get_data_info(number)
            if not isinstance(info, dict) or not isinstance(info.get("instances"), Sequence):
                return {}
            path = str(info.get("img_path") or "")
            places[path] = -1 if path in places else number
        return places


def _listed(instances: Sequence[Any]) -> Objects | None:
    """Objects as data sets of MMDetection list them."""
    if any("bbox" not in one or "bbox_label" not in one for one in instances):
        return None
    counted = [one for one in instances if not one.get("ignore_flag")]
    boxes = [[float(v) for v in one["bbox"]] for one in counted]
    if any(len(box) != 4 for box in boxes):
        return None
    labels = [int(one["bbox_label"]) for one in counted]
    return torch.tensor(boxes).reshape(-1, 4), torch.tensor(labels, dtype=torch.long)
