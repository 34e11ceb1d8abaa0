"""Label maps of another source as evidence for the teacher's labels, by Bayes' rule."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...thresholds.reliability import likelihoods, posterior
from ...validation import check_range
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook
from .external_labels import second_labels

_ENOUGH = 1.0  # labeled images that have external labels, before the teacher is not needed


@HOOKS.register_module()
class ExternalMapsHook(StepHook):
    """Let another model's label maps speak for or against the teacher's labels.

    How often the source says a label where a class is, is counted in the labeled images. By Bayes'
    rule the teacher's probability of each class is multiplied by that share, and all are divided by
    their sum. So the labels and scores that the thresholds see are those of both. A source that is
    independent of the truth says each label equally often for every class, and changes nothing; one
    that confuses two classes speaks for both. Its classes need not be those of the model.

    The maps come with the samples, as for `ExternalLabelsHook`: `LoadExternalLabels`, and
    `PackExternalLabels` in the views `sup` and `unsup_teacher`. Where no labeled image has one, the
    labels of which the teacher is sure stand in for the annotations.

    Args:
        num_classes: Of the external labels. None: as many as the model has.
        decay: Of the counts, in each iteration.
        sure: Score from which the teacher's labels may stand in for annotations.
        strength: How many images a class needs to be seen in before its counts are believed.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> model, hook = segmentor(), ExternalMapsHook(num_classes=2)
        >>> model.attach(hook)
        >>> hook.likelihood.shape  # of 2 labels, for each of the model's 4 classes
        torch.Size([4, 2])
    """

    phase = Phase.LABEL
    needs = frozenset({"soft"})

    def __init__(
        self,
        num_classes: int | None = None,
        *,
        decay: float = 0.995,
        sure: float = 0.9,
        strength: float = 0.05,
    ) -> None:
        name = type(self).__name__
        check_range(name, "decay", decay)
        check_range(name, "sure", sure)
        check_range(name, "strength", strength, 1e-9, float("inf"))
        self.num_classes, self.decay, self.sure = num_classes, decay, sure
        self.strength = strength
        # Against annotations, and against the teacher.
        self.counts = torch.zeros(2, 0, 0, dtype=torch.float64)

    def on_attach(self, model: TeacherStudent) -> None:
        """Only segmentors label pixels."""
        segmentor_only(self, model, "weighs labels of pixels")
        super().on_attach(model)
        labels = self.num_classes or model.num_classes
        self.counts = torch.zeros(2, model.num_classes, labels, dtype=torch.float64)

    def state_dict(self) -> dict[str, Any]:
        """What has been counted."""
        return {"counts": self.counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.counts = state["counts"].cpu()

    @property
    def likelihood(self) -> Tensor:
        """P(external label | class)."""
        known = self.counts[0].sum() >= _ENOUGH
        return likelihoods(self.counts[0] if known else self.counts.sum(0), self.strength)

    @torch.no_grad()
    def before_teacher(self, step: Step) -> None:
        """Count what the source says of the annotated pixels."""
        counts = torch.zeros_like(self.counts[0])
        theirs = second_labels(step.sup) if step.sup is not None else None
        if step.sup is not None and theirs is not None:
            for said, sample in zip(theirs, step.sup.samples, strict=True):
                truth = sample.gt_sem_seg.data[0].to(said.device).long()
                height, width = truth.shape
                counts += self._tally(truth, said[:height, :width])
        self._add(0, counts)

    @torch.no_grad()
    def after_teacher(self, step: Step) -> None:
        """Labels and scores of teacher and source together."""
        pixels, theirs = step.pseudo_pixels, second_labels(step.weak_views)
        counts = torch.zeros_like(self.counts[1])
        if theirs is not None and pixels.soft is not None:
            sure = pixels.labels.where(pixels.scores >= self.sure, IGNORE)
            for own, said in zip(sure, theirs, strict=True):
                counts += self._tally(own, said)
            likelihood = self.likelihood.to(pixels.soft)
            pixels.soft = posterior(pixels.soft, theirs, likelihood)
            scores, labels = pixels.soft.max(1)
            changed = (labels != pixels.labels) & pixels.valid
            pixels.labels = labels.where(pixels.valid, IGNORE)
            pixels.scores = scores.where(pixels.valid, 0.0)
            step.count("external/changed", changed.sum() / pixels.valid.sum().clamp(min=1))
        self._add(1, counts)

    def _tally(self, truth: Tensor, said: Tensor) -> Tensor:
        """Counts (C, E) as shares of the pixels of an image."""
        classes, labels = self.counts.shape[1:]
        known = (truth < classes) & (said < labels)
        place = truth[known] * labels + said[known]
        counts = torch.bincount(place.cpu(), minlength=classes * labels)
        return counts.view(classes, labels).double() / truth.numel()

    def _add(self, against: int, counts: Tensor) -> None:
        all_reduce(counts)
        self.counts[against] = self.decay * self.counts[against] + counts
