"""Thresholds: which of the teacher's labels the student is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from ..registry import HOOKS
from ..teacher_student.schedules import check_range
from ..teacher_student.step import LOW, PixelLabels, Step
from .step_hook import StepHook

NOTHING = 255  # the label of a pixel that is not valid

PerClass: TypeAlias = "float | Sequence[float] | Mapping[int, float]"


@HOOKS.register_module()
class FixedThresholdHook(StepHook):
    """Keep what the teacher is sure of: one threshold on the score, for boxes and for pixels.

    A box is kept if its score is *above* the threshold (as in MMDetection), a pixel if it is *at
    or above* it (as in FixMatch). A pixel that is not kept has the weight 0 and still counts in
    the mean of the loss.

    Args:
        score: Threshold in [0, 1]: one number, one for each class, or a dict of class to number
            (other classes: 0).
        ignore: Boxes with a score above this one but not above `score` become ignore regions: no
            loss says that nothing is there. None: they are dropped, and are background.
        cls, box: Stricter thresholds for a single task: a kept box whose score is not above gets
            the weight 0 in the classification or in the box regression.
    """

    def __init__(
        self,
        score: PerClass = 0.9,
        *,
        ignore: float | None = None,
        cls: float | None = None,
        box: float | None = None,
    ) -> None:
        name = type(self).__name__
        values = score.values() if isinstance(score, Mapping) else score
        for value in values if not isinstance(values, (int, float)) else [values]:
            check_range(name, "score", value)
        for key, limit in dict(ignore=ignore, cls=cls, box=box).items():
            if limit is not None:
                check_range(name, key, limit)
        self.score, self.ignore, self.cls, self.box = score, ignore, cls, box

    def after_teacher(self, step: Step) -> None:
        """Filter boxes, or set the weights of pixels."""
        if isinstance(step.pseudo, PixelLabels):
            self._weight_pixels(step.pseudo)
            return
        for image in range(len(step.pseudo_boxes)):
            self._filter_boxes(step, image)

    def _filter_boxes(self, step: Step, image: int) -> None:
        boxes = step.pseudo_boxes[image]
        sure = boxes.scores > self._thresholds(boxes.labels)
        keep = sure
        if self.ignore is not None:
            boxes.level = torch.where(sure, boxes.level, LOW)
            keep = sure | (boxes.scores > self.ignore)
        for limit, weight in ((self.cls, "weight_cls"), (self.box, "weight_box")):
            if limit is not None:
                boxes[weight] = boxes[weight] * (boxes.scores > limit)
        step.keep(image, keep, "score")

    def _weight_pixels(self, pixels: PixelLabels) -> None:
        pixels.weights = pixels.weights * (pixels.scores >= self._thresholds(pixels.labels))

    def _thresholds(self, labels: Tensor) -> Tensor | float:
        """The threshold of each label."""
        if isinstance(self.score, (int, float)):
            return self.score
        if isinstance(self.score, Mapping):
            pairs = dict(self.score)
        else:
            self._check_length(labels)
            pairs = dict(enumerate(self.score))
        # One row more than there are classes: where labels are 255 (nothing), the last one is read.
        table = torch.zeros(max(pairs) + 2, device=labels.device)
        table[torch.tensor(list(pairs))] = torch.tensor([float(v) for v in pairs.values()])
        return table[labels.clamp(max=len(table) - 1)]

    def _check_length(self, labels: Tensor) -> None:
        """A class beyond the end of the list must not pass with no threshold at all."""
        highest = int(labels[labels != NOTHING].max()) if (labels != NOTHING).any() else -1
        if highest >= len(self.score):  # type: ignore[arg-type]
            raise ValueError(
                f"{type(self).__name__}: score={self.score!r} has {len(self.score)} thresholds, "  # type: ignore[arg-type]
                f"but the teacher found class {highest}: give one for each class, or a dict"
            )
