"""The base of all thresholds: the shared part of filtering boxes and weighting pixels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS, LOW, PseudoBoxes
from ...teacher_student.step import PixelLabels, Step
from ..step_hook import StepHook

Uncertain = Literal["ambiguous", "ignore", "drop"]
Labels: TypeAlias = "PseudoBoxes | PixelLabels"


@dataclass
class Limits:
    """Thresholds of each class (C,): reliable from `upper` on, uncertain between both."""

    upper: Tensor
    lower: Tensor | None = None


class ThresholdHook(StepHook):
    """Decides which of the teacher's labels the student is trained on, and with which weight.

    In each step a subclass may use the new labels (`observe`) and returns its limits (`limits`).
    A box above the upper limit of its class is kept (as in MMDetection), a pixel at or above it (as
    in FixMatch); with `inclusive`, a box at it too. What lies between the limits is, by
    `uncertain_as`:

    * "ambiguous": trained on with `soft_weights` (the score, unless a subclass overrides it);
    * "ignore": a region without any loss (a pixel of weight 0);
    * "drop": background (a pixel of weight 0).

    Below the lower limit, or below the upper one where there is no lower, boxes are dropped and
    pixels get the weight 0. The limits are logged as `threshold/<class>` and
    `threshold_low/<class>`; one limit for all classes (`one_limit`) as `threshold/all`.

    Examples:
        >>> from ssdet.testing import box_step
        >>> class HalfHook(ThresholdHook):  # keeps what is above 0.5
        ...     def limits(self, classes, device):
        ...         return Limits(torch.full((classes,), 0.5, device=device))
        >>> step = box_step([0.9, 0.4])
        >>> HalfHook().after_teacher(step)
        >>> step.pseudo[0].scores
        tensor([0.9000])
    """

    phase = Phase.FILTER
    selects_labels = True
    uncertain_as: Uncertain = "ambiguous"
    log_limits = True
    one_limit = False
    inclusive = False
    num_classes: int | None = None
    class_names: Sequence[str] = ()
    last_limits: Limits | None = None  # of the last step, for hooks that watch

    def observe(self, step: Step) -> None:
        """Learn from the teacher's new labels, before they are filtered."""

    @abstractmethod
    def limits(self, classes: int, device: torch.device) -> Limits:
        """The limits of that many classes."""

    def grade(self, labels: Labels, limits: Limits) -> tuple[Tensor, Tensor]:
        """Which labels are reliable, and which are only above the lower limit: two masks.

        Override it to judge by more than one value of a label.
        """
        evidence = self.evidence(labels)
        inclusive = self.inclusive or isinstance(labels, PixelLabels)
        sure = _reaches(labels.labels, evidence, limits.upper, inclusive)
        if limits.lower is None:
            return sure, torch.zeros_like(sure)
        return sure, _reaches(labels.labels, evidence, limits.lower, inclusive) & ~sure

    def evidence(self, labels: Labels) -> Tensor:
        """The value of each label that is compared with the limits: its score."""
        return labels.scores

    def soft_weights(self, labels: Labels) -> Tensor:
        """Weight of each label, if it lies between the limits."""
        return labels.scores

    # ------------------------------------------------------------------ hook points

    def on_attach(self, model: TeacherStudent) -> None:
        """Take the number of classes from the model."""
        super().on_attach(model)
        self.num_classes = getattr(model, "num_classes", None)

    def before_train(self, runner: Any) -> None:
        """Take the names of the classes from the training data."""
        super().before_train(runner)
        dataset = getattr(runner.train_dataloader, "dataset", None)
        metainfo = getattr(dataset, "metainfo", None) or {}
        self.class_names = metainfo.get("classes") or ()

    def after_teacher(self, step: Step) -> None:
        """Filter boxes, or set the weights of pixels."""
        self.observe(step)
        pixels = isinstance(step.pseudo, PixelLabels)
        scores = step.pseudo_pixels.scores if pixels else step.pseudo_boxes[0].scores
        limits = self.limits(self.count_classes(step), scores.device)
        self.last_limits = limits
        self._log(step, limits)
        if pixels:
            self.weight_pixels(step.pseudo_pixels, limits)
            return
        for image in range(len(step.pseudo_boxes)):
            self.filter_boxes(step, image, limits)

    def filter_boxes(self, step: Step, image: int, limits: Limits) -> None:
        """Drop, mark and weight the boxes of one image."""
        boxes = step.pseudo_boxes[image]
        sure, unsure = self.grade(boxes, limits)
        if self.uncertain_as == "ambiguous":
            soft = torch.where(unsure, self.soft_weights(boxes), 1.0)
            boxes.weight_cls, boxes.weight_box = boxes.weight_cls * soft, boxes.weight_box * soft
            boxes.level = torch.where(unsure, boxes.level.clamp(max=AMBIGUOUS), boxes.level)
        elif self.uncertain_as == "ignore":
            boxes.level = torch.where(unsure, LOW, boxes.level)
        kept = sure if self.uncertain_as == "drop" else sure | unsure
        step.drop(image, ~kept, "score")

    def weight_pixels(self, pixels: PixelLabels, limits: Limits) -> None:
        """Multiply the weights of the pixels."""
        sure, unsure = self.grade(pixels, limits)
        factor = sure.to(pixels.weights.dtype)
        if self.uncertain_as == "ambiguous":
            factor = torch.where(unsure, self.soft_weights(pixels), factor)
        pixels.weights = pixels.weights * factor

    # ------------------------------------------------------------------ helpers

    def count_classes(self, step: Step) -> int:
        """The classes of the model; without one, those up to the highest that was found."""
        if self.num_classes is not None:
            return self.num_classes
        pseudo = step.pseudo
        found = [pseudo] if isinstance(pseudo, PixelLabels) else step.pseudo_boxes
        labels = [
            one.labels[one.valid] if isinstance(one, PixelLabels) else one.labels for one in found
        ]
        return max((int(one.max()) + 1 for one in labels if one.numel()), default=0)

    def class_name(self, number: int) -> str:
        """What a class is called in the log."""
        return self.class_names[number] if number < len(self.class_names) else str(number)

    def _log(self, step: Step, limits: Limits) -> None:
        if not self.log_limits:
            return
        for prefix, values in (("threshold", limits.upper), ("threshold_low", limits.lower)):
            if values is None:
                continue
            if self.one_limit and len(values):
                step.log[f"{prefix}/all"] = values[0]
                continue
            for index, value in enumerate(values.unbind()):
                step.log[f"{prefix}/{self.class_name(index)}"] = value


def _reaches(labels: Tensor, evidence: Tensor, limits: Tensor, inclusive: bool) -> Tensor:
    """Whether the evidence is above the limit of its class, or at it."""
    # One row more than there are classes: a pixel that is not valid has the label 255.
    table = torch.cat([limits, limits.new_zeros(1)])
    values = table[labels.clamp(max=len(limits))]
    return evidence >= values if inclusive else evidence > values
