"""How often each class is labeled."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ...teacher_student.step import Views
from .labeled_pass import numbers_of


class LabelCounts:
    """Labels of each class in the labeled data, and the amount of data they were counted in.

    Boxes are counted once in all annotations where the training data are known (`count`); pixels,
    and boxes in a plain PyTorch loop, in the labeled batches as they come (`add`). The amount is
    a number of images for boxes, and of labeled pixels for pixels.
    """

    def __init__(self) -> None:
        self.labels = torch.zeros(0, dtype=torch.float64)
        self.amount = 0.0
        self.complete = False

    def count(self, dataset: Any, classes: int, *, limit: int | None = None) -> None:
        """Count the boxes of all labeled images of a training set, if their annotations are.

        With a `limit`, that many images are counted, spread evenly over all.
        """
        infos = _labeled_infos(dataset, limit)
        found = [
            one["bbox_label"]
            for info in infos
            for one in info.get("instances", ())
            if not one.get("ignore_flag")
        ]
        if not found:  # scenes that are drawn when they are loaded have no annotations before
            return
        self.labels = torch.bincount(torch.tensor(found, dtype=torch.long), minlength=classes)
        self.labels = self.labels[:classes].double()
        self.amount, self.complete = float(len(infos)), True

    def add(self, views: Views, classes: int, *, reduce: bool = True) -> None:
        """Count a labeled batch, of all processes (`reduce`), unless all is counted already."""
        if self.complete:
            return
        labels, amount = _labels(views.samples)
        inside = labels[(labels >= 0) & (labels < classes)]
        new = torch.bincount(inside, minlength=classes).float()
        new = torch.cat([new, new.new_tensor([len(inside) if amount is None else amount])])
        if reduce:
            all_reduce(new)
        new = new.double().cpu()
        before = self.labels if len(self.labels) else torch.zeros(classes, dtype=torch.float64)
        self.labels, self.amount = before + new[:-1], self.amount + float(new[-1])

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"labels": self.labels, "amount": self.amount, "complete": self.complete}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the counts; those of all annotations are not replaced by older ones."""
        if not self.complete:
            self.labels, self.amount = state["labels"], state["amount"]
            self.complete = state["complete"]


def _labeled_infos(dataset: Any, limit: int | None) -> list[dict[str, Any]]:
    if not hasattr(dataset, "get_data_info"):
        return []
    numbers = numbers_of(dataset, labeled=True)
    step = 1 if limit is None else max(-(-len(numbers) // limit), 1)
    return [dataset.get_data_info(number) for number in numbers[::step]]


def _labels(samples: list[Any]) -> tuple[Tensor, float | None]:
    """All labels of a batch, and its images (None where pixels are counted)."""
    if "gt_sem_seg" in samples[0]:
        return torch.cat([sample.gt_sem_seg.data.flatten() for sample in samples]).long(), None
    return torch.cat([sample.gt_instances.labels for sample in samples]), float(len(samples))
