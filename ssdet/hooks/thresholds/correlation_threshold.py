"""CorrMatch's threshold: one for all classes, which follows the teacher's confidence."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import class_peaks, moved_threshold
from ...validation import check_range
from .threshold_hook import Limits, ThresholdHook


@HOOKS.register_module()
class CorrelationThresholdHook(ThresholdHook):
    """One threshold that moves with the highest score of each class.

    The dynamic threshold of CorrMatch (Sun et al., CVPR 2024): for each class that the teacher
    finds in the batches of all processes, its highest score; threshold <- momentum * threshold +
    (1 - momentum) * mean over these classes; then the labels are filtered. CorrMatch's propagation
    by correlation maps is `CorrelationPropagationHook`.

    Args:
        start: Threshold before the first batch.
        momentum: Share of the threshold that is kept in a step, in [0, 1].

    Examples:
        >>> from ssdet.testing import pixel_step
        >>> step = pixel_step([[0.9, 0.7]])
        >>> CorrelationThresholdHook(start=0.85).after_teacher(step)
        >>> step.pseudo.weights
        tensor([[[1., 0.]]])
    """

    one_limit = True

    def __init__(self, start: float = 0.85, *, momentum: float = 0.999) -> None:
        name = type(self).__name__
        check_range(name, "start", start)
        check_range(name, "momentum", momentum)
        self.momentum = momentum
        self.threshold = torch.tensor(float(start))

    def observe(self, step: Step) -> None:
        """Move the threshold."""
        classes = self.count_classes(step)
        if isinstance(step.pseudo, PixelLabels):
            found = step.pseudo
            labels = found.labels.where(found.valid, IGNORE).flatten()
            scores = found.scores.flatten()
        else:
            labels = torch.cat([boxes.labels for boxes in step.pseudo_boxes])
            scores = torch.cat([boxes.scores for boxes in step.pseudo_boxes])
        peaks = class_peaks(scores, labels, classes)
        all_reduce(peaks, "max")
        threshold = self.threshold.to(peaks.device)
        self.threshold = moved_threshold(threshold, peaks, self.momentum)

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The same for every class."""
        return Limits(self.threshold.to(device).expand(classes))

    def state_dict(self) -> dict[str, Any]:
        """The threshold."""
        return {"threshold": self.threshold.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the threshold."""
        self.threshold = state["threshold"]
