"""Thresholds from a mixture of two Gaussians over the teacher's latest scores."""

from __future__ import annotations

from typing import Any

import torch

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import MixturePolicy, count_threshold, mixture_thresholds
from ...validation import check_choice, check_range
from .._parts.score_history import ScoreHistory, found_scores
from .threshold_hook import Limits, ThresholdHook


@HOOKS.register_module()
class GMMThresholdHook(ThresholdHook):
    """One threshold for each class, where the scores of its correct labels seem to begin.

    The GMM of Consistent-Teacher (Wang et al., CVPR 2023). The latest scores of each
    class are modeled as a mixture of wrong labels (lower mean) and correct ones (higher mean); all
    classes are fitted at once, on the device of the scores, in each step. A new class has
    `default` until it has `min_scores` scores.

    Args:
        num_scores: Scores of each class that are kept.
        policy: "high": the score that is the likeliest of the correct ones. "middle": the lowest
            of the correct ones, which keeps more.
        default: Threshold of a class with too few scores, or without a correct one. The paper's
            code has 0: it keeps every box of a rare class.
        floor: Lowest threshold.
        count_ratio: Before that, only about count_ratio * (sum of its scores) boxes of an image
            are kept, the best ones. None: all. Consistent-Teacher has 1.0.
        background_weight: Factor on the whole unsupervised loss where fewer than half of the
            images of this process have a pseudo box. None: 1. Consistent-Teacher has 0.01; the
            detector's own `empty_weight` does it for each image.
        sync: All processes share their scores, so that they have the same thresholds.
        pixels: Pixels of a batch, drawn at random, whose scores are kept.

    Examples:
        >>> from ssdet.testing import box_step
        >>> step = box_step([0.92, 0.9, 0.88, 0.3, 0.28, 0.25])  # two groups of scores
        >>> GMMThresholdHook(policy="middle").after_teacher(step)
        >>> step.log["threshold/0"], step.pseudo[0].scores  # above the lowest of the upper group
        (tensor(0.8800), tensor([0.9200, 0.9000]))
    """

    def __init__(
        self,
        num_scores: int = 100,
        policy: MixturePolicy = "high",
        *,
        default: float = 0.0,
        floor: float = 0.0,
        min_scores: int = 4,
        count_ratio: float | None = None,
        background_weight: float | None = None,
        sync: bool = True,
        pixels: int = 4096,
    ) -> None:
        name = type(self).__name__
        check_choice(name, "policy", policy, MixturePolicy)
        check_range(name, "default", default)
        check_range(name, "floor", floor)
        check_range(name, "min_scores", min_scores, 2, num_scores)
        check_range(name, "pixels", pixels, 1, float("inf"))
        if count_ratio is not None:
            check_range(name, "count_ratio", count_ratio, 0, float("inf"))
        if background_weight is not None:
            check_range(name, "background_weight", background_weight)
        self.policy, self.default, self.floor, self.min_scores = policy, default, floor, min_scores
        self.count_ratio, self.background_weight = count_ratio, background_weight
        self.pixels = pixels
        self.history = ScoreHistory(name, num_scores, sync)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse settings that count boxes for a segmentor."""
        for key in ("count_ratio", "background_weight"):
            if isinstance(model, TeacherStudentSegmentor) and getattr(self, key) is not None:
                raise TypeError(
                    f"{type(self).__name__}: {key}={getattr(self, key)} counts the boxes of an "
                    f"image, but a {type(model).__name__} labels pixels; leave it out"
                )
        super().on_attach(model)

    def observe(self, step: Step) -> None:
        """Keep as many boxes as their scores add up to, and store the scores of these."""
        if self.count_ratio is not None:
            for image, boxes in enumerate(step.pseudo_boxes):
                limit = count_threshold(boxes.scores, self.count_ratio)
                step.drop(image, boxes.scores <= limit, "count")
        values, labels = found_scores(step, self.evidence, self.pixels)
        drawn = isinstance(step.pseudo, PixelLabels)
        self.history.push(values, labels, self.count_classes(step), are_drawn=drawn)

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The thresholds of the mixtures."""
        scores = self.history.of(classes, device)
        found = mixture_thresholds(
            scores, self.policy, default=self.default, min_scores=self.min_scores
        )
        return Limits(found.clamp(min=self.floor))

    def after_teacher(self, step: Step) -> None:
        """Filter, and lower the weight of a batch of mostly empty images."""
        super().after_teacher(step)
        if self.background_weight is not None:
            boxes = step.pseudo_boxes
            few = 2 * sum(len(one) > 0 for one in boxes) < len(boxes)
            step.unsup_weight *= self.background_weight if few else 1.0
            step.count("gmm/mostly_empty", float(few))

    def state_dict(self) -> dict[str, Any]:
        """The stored scores."""
        return self.history.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the scores."""
        self.history.load_state_dict(state)
