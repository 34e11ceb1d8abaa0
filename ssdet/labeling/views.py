"""Flipped and scaled views of an image, and their predictions as one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exits import UsageError
from ..thresholds import vote

MIN_IOU = 0.6  # overlap from which two boxes of a class are one object
FLIPS = {"": (), "hflip": (1,), "vflip": (0,)}  # axes of an image (H, W)


@dataclass(frozen=True)
class View:
    """How an image is shown to the model once more.

    Attributes:
        flip: A key of `FLIPS`.
        scale: Factor on the size to which the pipeline resizes.
    """

    flip: str = ""
    scale: float = 1.0

    def pipeline(self, steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The transforms with another size."""
        changed = copy.deepcopy(list(steps))
        if self.scale == 1:
            return changed
        resize = [step for step in changed if step["type"].rpartition(".")[2] == "Resize"]
        if not resize:
            raise UsageError(f"tta {self.scale}: the test pipeline has no Resize, so no size")
        for step in resize:
            for key in ("scale", "scale_factor"):
                value = step.get(key)
                if isinstance(value, (tuple, list)):
                    step[key] = tuple(self._sized(one, key) for one in value)
                elif value is not None:
                    step[key] = self._sized(value, key)
        return changed

    def _sized(self, value: float, key: str) -> float:
        return max(round(value * self.scale), 1) if key == "scale" else value * self.scale

    def turned(self, image: np.ndarray) -> np.ndarray:
        """An image (H, W, ...) as this view shows it."""
        axes = FLIPS[self.flip]
        return np.ascontiguousarray(np.flip(image, axes)) if axes else image

    def boxes_back(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Boxes of the view in the image of (height, width)."""
        if not self.flip:
            return boxes
        x1, y1, x2, y2 = boxes.unbind(-1)
        if self.flip == "hflip":
            x1, x2 = size[1] - x2, size[1] - x1
        else:
            y1, y2 = size[0] - y2, size[0] - y1
        return torch.stack([x1, y1, x2, y2], -1)

    def map_back(self, values: Tensor) -> Tensor:
        """Values (..., H, W) of the pixels of the view in the image."""
        axes = [axis - 2 for axis in FLIPS[self.flip]]
        return values.flip(axes) if axes else values


def views_of(names: Sequence[str]) -> list[View]:
    """The image as it is, and what is asked for beside it: `hflip`, `vflip`, sizes such as 1.25."""
    views = [View()]
    for name in names:
        if name in FLIPS and name:
            views.append(View(flip=name))
            continue
        try:
            scale = float(name)
        except ValueError:
            scale = 0.0
        if not 0.1 <= scale <= 10:
            raise UsageError(f"tta {name!r}: allowed are hflip, vflip, and sizes from 0.1 to 10")
        views.append(View(scale=scale))
    return views


def fused_boxes(found: Sequence[Any], views: Sequence[View], size: tuple[int, int]) -> Any:
    """The instances of several views as those of the image.

    Boxes of a class that overlap become their mean, weighted by the scores, with the mean of their
    scores; a view without the box counts as 0. A mask is that of the view that is surest.
    """
    boxes = torch.cat([v.boxes_back(one.bboxes, size) for one, v in zip(found, views, strict=True)])
    scores, labels = (torch.cat([one[key] for one in found]) for key in ("scores", "labels"))
    origin = torch.cat([torch.full_like(one.labels, k) for k, one in enumerate(found)])
    kept, mean, score = vote(boxes, scores, labels, origin, len(views), MIN_IOU)
    result = type(found[0])(bboxes=mean, scores=score, labels=labels[kept])
    if "masks" in found[0]:
        turned = [v.map_back(one.masks) for one, v in zip(found, views, strict=True)]
        result.masks = torch.cat(turned)[kept]
    return result


def fused_maps(found: Sequence[Tensor], views: Sequence[View]) -> Tensor:
    """Mean probabilities (C, H, W) of several views."""
    return torch.stack([v.map_back(p) for p, v in zip(found, views, strict=True)]).mean(0)
