"""A frozen and an adapting teacher, combined by their certainty."""

from __future__ import annotations

import torch
from torch import Tensor

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes, Source
from ...teacher_student.schedules import ramp
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import Combination, agreed_weight, combine_certain, fuse_boxes, match_boxes
from ...validation import check_choice, check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class TeacherFusionHook(StepHook):
    """Labels of the student's average and of a frozen model, each where it is certain.

    The idea is that of UnCoL (TMI 2026), a frozen generalist and an adapting specialist; its code
    and equations are not public, so these are ours. With the certainty a = 1 - entropy / ln C of
    each, a pixel has the mean of both, weighted by a ("blend"), or the more certain one
    ("select"). Its weight is multiplied by max(a) where they agree and by max(a) * |a1 - a2| where
    they do not. For boxes a is the score: of a pair the box is the mean weighted by a, and a box
    that one of the two has not found counts as a disagreement with certainty 0.

    Needs `teacher=dict(model=..., beside_twin=True)`.

    Args:
        mode: "blend" or "select", for pixels.
        length: Iterations after the burn-in in which the trust in the frozen model falls from 1
            to 0, so that the specialist takes over; 0: it stays 1.
        min_certainty: Labels of a lower weight are not trained on: pixels get the weight 0, boxes
            are dropped.
        iou: Lowest IoU of a pair of boxes.

    Examples:
        >>> TeacherFusionHook("select", length=1000).mode  # the frozen model fades out
        'select'
        >>> TeacherFusionHook("mean")
        Traceback (most recent call last):
        ValueError: TeacherFusionHook: mode='mean' is not one of ['blend', 'select']
    """

    phase = Phase.LABEL
    needs_twin = True
    needs = frozenset({"soft"})
    selects_labels = True

    def __init__(
        self,
        mode: Combination = "blend",
        *,
        length: int = 0,
        min_certainty: float = 0.0,
        iou: float = 0.6,
    ) -> None:
        name = type(self).__name__
        check_choice(name, "mode", mode, Combination)
        check_range(name, "length", length, 0, float("inf"))
        check_range(name, "min_certainty", min_certainty)
        check_range(name, "iou", iou)
        self.mode, self.length, self.min_certainty, self.iou = mode, length, min_certainty, iou

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without a frozen teacher beside the twin."""
        super().on_attach(model)
        if model.frozen_teacher is None:
            raise ValueError(
                f"{type(self).__name__}: there is no second teacher; set teacher=dict(model=..., "
                "checkpoint=..., beside_twin=True) in the model"
            )

    def after_teacher(self, step: Step) -> None:
        """Combine the labels of the twin with those of the frozen model."""
        model = step.model
        other = model.label(step.weak_views, model.frozen_teacher, needs={"soft"})
        since = step.iteration - model.burn_in
        trust = 1.0 - ramp(since, self.length, "linear") if self.length else 1.0
        step.count("fusion/trust", trust)
        if isinstance(step.pseudo, PixelLabels):
            self._pixels(step, step.pseudo, other, trust)
        else:
            for image, found in enumerate(other):
                self._boxes(step, image, found, trust)

    def _pixels(self, step: Step, own: PixelLabels, other: PixelLabels, trust: float) -> None:
        if own.soft is None or other.soft is None:
            raise RuntimeError(f"{type(self).__name__}: labels without probabilities; report it")
        own.valid = own.valid & other.valid
        fused, weight = combine_certain(own.soft, other.soft, self.mode, trust)
        weight = weight.where(weight >= self.min_certainty, 0.0)
        scores, labels = fused.max(1)
        changed = ((labels != own.labels) & own.valid).sum() / own.valid.sum().clamp(min=1)
        step.count("fusion/changed", changed)
        own.labels = labels.where(own.valid, IGNORE)
        own.scores = scores.where(own.valid, 0.0)
        own.weights = (own.weights * weight).where(own.valid, 0.0)
        own.soft = fused.where(own.valid[:, None], 0.0)

    def _boxes(self, step: Step, image: int, found: PseudoBoxes, trust: float) -> None:
        own = step.pseudo_boxes[image]
        found.source = torch.full_like(found.labels, Source.EXTERNAL)
        rows, columns = match_boxes(own.bboxes, found.bboxes, (own.labels, found.labels), self.iou)
        first, second = own[rows], found[columns]
        pairs = PseudoBoxes.of(first)
        certain = first.scores, second.scores * trust
        pairs.bboxes = fuse_boxes(first.bboxes, second.bboxes, certain, "wbf")
        pairs.scores = torch.maximum(*certain)
        alone = [_others(own, rows), _others(found, columns)]
        alone[1].scores = alone[1].scores * trust
        parts = [self._weighed(pairs, True), *(self._weighed(one, False) for one in alone)]
        step.pseudo_boxes[image] = PseudoBoxes.cat(parts)
        weak = step.pseudo_boxes[image].weight_cls < self.min_certainty
        step.drop(image, weak, "certainty")
        step.count("fusion/pairs", len(rows) / len(step.pseudo_boxes))

    @staticmethod
    def _weighed(boxes: PseudoBoxes, same: bool) -> PseudoBoxes:
        nothing = torch.zeros_like(boxes.scores)
        both = torch.full_like(boxes.labels, same, dtype=torch.bool)
        weight = agreed_weight(boxes.scores, nothing, both)
        for name in ("weight_cls", "weight_box"):
            boxes[name] = boxes.value(name) * weight
        return boxes


def _others(boxes: PseudoBoxes, taken: Tensor) -> PseudoBoxes:
    left = torch.ones(len(boxes), dtype=torch.bool, device=boxes.bboxes.device)
    left[taken] = False
    return boxes.split(left)[0]
