"""Criteria for the teacher's labels: confidence, objectness, and agreement of two views."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.logging import print_log
from torch import Tensor

from ...labels import IGNORE
from ...teacher_student.core import TeacherStudent
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import PixelLabels, Views
from ...thresholds import entropy_of
from .second_view import SecondView, shape_of

Criterion = Literal["confidence", "objectness", "consistency"]
# Values of one criterion with one entry (n,) for each class.
Pools = dict[str, list[Tensor]]
Values = dict[str, Tensor]

TRUE_IOU = 0.5


class Criteria:
    """Measures the teacher's labels, each value in [0, 1] and higher where they can be trusted.

    | criterion | boxes | pixels |
    |---|---|---|
    | confidence | score | probability of the label |
    | objectness | `PseudoBoxes.objectness` | 1 - entropy / log(classes) |
    | consistency | IoU with the best box of its class in the second view | its probability there |

    Args:
        names: Which of them, in this order.
        second: How the second view is made, for the consistency.
    """

    def __init__(self, names: tuple[str, ...], second: SecondView | None) -> None:
        self.names, self.second = names, second
        self._told = False

    @property
    def needs(self) -> frozenset[str]:
        """What labels must have, to be measured."""
        plain = self.names == ("confidence",)
        return frozenset() if plain else frozenset({"soft", "objectness"})

    def of_boxes(
        self, model: TeacherStudent, views: Views, boxes: list[PseudoBoxes]
    ) -> list[Values]:
        """The values of the boxes of each image; what this detector does not have is missing."""
        known = "objectness" in self.names and all("objectness" in one for one in boxes)
        measured: dict[str, list[Tensor] | None] = {
            "confidence": [one.scores for one in boxes],
            "objectness": [one.objectness for one in boxes] if known else None,
            "consistency": self._overlaps(model, views, boxes),
        }
        found = {name: each for name in self.names if (each := measured[name]) is not None}
        self._log_missing(model, found)
        return [{name: each[i] for name, each in found.items()} for i in range(len(boxes))]

    def _log_missing(self, model: TeacherStudent, found: dict[str, Any]) -> None:
        missing = [name for name in self.names if name not in found]
        if missing and not self._told:
            self._told = True
            print_log(
                f"A {type(model.teacher).__name__} has no {', '.join(missing)}: its boxes are "
                f"rated by {', '.join(found)} only",
                logger="current",
            )

    def of_pixels(self, model: TeacherStudent, views: Views, pixels: PixelLabels) -> Values:
        """The values (B, H, W) of the pixels."""
        found = {}
        for name in self.names:
            if name == "confidence":
                found[name] = pixels.scores
            elif pixels.soft is not None and name == "objectness":
                uncertainty = entropy_of(pixels.soft, floor=1e-8) / math.log(pixels.soft.shape[1])
                found[name] = (1 - uncertainty).where(pixels.valid, 0.0)
            elif pixels.soft is not None and self.second is not None:
                found[name] = self._agreement(model, self.second, views, pixels)
        return found

    def _overlaps(
        self, model: TeacherStudent, views: Views, boxes: list[PseudoBoxes]
    ) -> list[Tensor] | None:
        if self.second is None or "consistency" not in self.names:
            return None
        result = []
        again = model.label(self.second.views(views))
        for own, other, sample in zip(boxes, again, views.samples, strict=True):
            back = self.second.boxes_back(other.bboxes, shape_of(sample, views))
            result.append(best_overlaps(own.bboxes, own.labels, back, other.labels))
        return result

    def _agreement(
        self, model: TeacherStudent, second: SecondView, views: Views, pixels: PixelLabels
    ) -> Tensor:
        again = model.label(second.views(views), needs={"soft"}).soft
        back = second.maps_back(again, views)
        own = pixels.labels.clamp(max=back.shape[1] - 1)
        return back.gather(1, own[:, None])[:, 0].where(pixels.valid, 0.0)


def best_overlaps(boxes: Tensor, labels: Tensor, others: Tensor, their: Tensor) -> Tensor:
    """For each box (N, 4) the highest IoU with one of the others (M, 4) of its class; 0 if none."""
    if not len(others):
        return boxes.new_zeros(len(boxes))
    overlaps = bbox_overlaps(boxes, others.to(boxes))
    return (overlaps * (labels[:, None] == their[None].to(labels))).amax(1)


def highest_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """For each box (N, 4) the highest IoU with one of the others (M, 4), whatever their classes."""
    if not len(boxes) or not len(others):
        return boxes.new_zeros(len(boxes))
    return bbox_overlaps(boxes, others).amax(1)


def box_pools(values: Values, boxes: PseudoBoxes, truth: Any, classes: int) -> Pools:
    """Values of the boxes that are right: IoU >= 0.5 with a labeled object of their class.

    An overlap of 0 with the second view means that there is no box, not how good it is.
    """
    objects = get_box_tensor(truth.bboxes)
    right = best_overlaps(boxes.bboxes, boxes.labels, objects, truth.labels) >= TRUE_IOU
    pools = {}
    for name, value in values.items():
        used = right & (value > 0) if name == "consistency" else right
        pools[name] = [value[used & (boxes.labels == c)].float().cpu() for c in range(classes)]
    return pools


def pixel_pools(
    values: Values, pixels: PixelLabels, truth: Tensor, classes: int, limit: int
) -> Pools:
    """Values of the pixels that are right, at most `limit` of each class, evenly spread."""
    height, width = pixels.labels.shape[-2:]
    padded = torch.full((height, width), IGNORE, device=pixels.labels.device)
    truth = truth[:height, :width]
    padded[: truth.shape[0], : truth.shape[1]] = truth.to(padded)
    right = pixels.valid[0] & (pixels.labels[0] == padded)
    pools: Pools = {name: [] for name in values}
    for number in range(classes):
        places = (right & (padded == number)).flatten().nonzero()[:, 0]
        if len(places) > limit:
            places = places[torch.linspace(0, len(places) - 1, limit).long().to(places.device)]
        for name, value in values.items():
            pools[name].append(value[0].flatten()[places].float().cpu())
    return pools


def merged(pools: list[Pools], classes: int) -> Pools:
    """The pools of several images or processes as one."""
    names = {name: None for each in pools for name in each}
    empty = [torch.zeros(0)] * classes
    return {
        name: [torch.cat(parts) for parts in zip(*(p.get(name, empty) for p in pools), strict=True)]
        for name in names
    }
