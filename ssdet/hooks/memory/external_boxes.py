"""Boxes and masks of another model as pseudo labels, believed as far as they prove right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW, PseudoBoxes, Source
from ...teacher_student.step import Step
from ...thresholds.box_quality import iou
from ...thresholds.reliability import bin_of, pooled, shrunken
from ...validation import check_range
from .._parts.external_instances import ExternalInstances
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

BINS = 5  # of the source's scores
_ENOUGH = 20.0  # boxes compared with annotations, before agreement with the teacher is not needed


@HOOKS.register_module()
class ExternalBoxesHook(StepHook):
    """Learn from another model's boxes (and masks), as far as they prove right.

    After MarvelOVD (ECCV 2024), which rescores the boxes of a vision-language model by the detector
    as it learns; the measured weights are ours. Two numbers are measured during the training,
    with a decay:

    * the precision of the source, by class and score. Where it has labels of annotated images
      too, they are compared with the annotations; else its boxes are compared with the teacher's.
    * the share of its right boxes that the teacher finds.

    A box is right with the probability (1 - w) precision + w score, where the score is that of the
    teacher's box of this class at its place (0 where there is none), and w is the share found,
    divided by 1 plus the share. From `keep` on the box is trained on with this weight; from
    `ignore` on it is a region to ignore; below, it is dropped. A kept box and a box of the teacher
    at the same place become one, their corners weighted by both numbers. Where they
    contradict each other, the more probable one stays. So a source that proves worthless is not
    trained on.

    It acts behind the thresholds, and sees what they dropped. Pseudo boxes never take the place of
    an annotation: boxes of `Source.ANNOTATION` stay, and external ones there are dropped.

    Args:
        labels: A data set with `instances`, such as `LabeledImages`, which reads any format:
            `dict(type="LabeledImages", source="theirs.json", format="coco", images="images/")`.
        classes: What its classes are called in the model, where names differ:
            `{"automobile": "car"}`. Classes that the model does not have are left out.
        keep, ignore: See above.
        overlap: Boxes of a higher IoU are at the same place.
        decay: Of the counts, in each iteration.
        prior: Precision of a source of which nothing is known yet.
        min_visible: A box of which a view shows less than this share is left out.

    Examples:
        >>> theirs = dict(type="LabeledImages", source="theirs.json", format="coco", test_mode=True)
        >>> ExternalBoxesHook(theirs, classes={"automobile": "car"}).keep
        0.6
        >>> ExternalBoxesHook(theirs, keep=0.2)
        Traceback (most recent call last):
        ValueError: ExternalBoxesHook: ignore=0.3 is above keep=0.2; it must be below it
    """

    phase = Phase.MEMORY

    def __init__(
        self,
        labels: Any,
        *,
        classes: Mapping[str, str] | None = None,
        keep: float = 0.6,
        ignore: float = 0.3,
        overlap: float = 0.5,
        decay: float = 0.995,
        prior: float = 0.5,
        min_visible: float = 0.5,
    ) -> None:
        name = type(self).__name__
        limits = dict(keep=keep, ignore=ignore, overlap=overlap, decay=decay, prior=prior)
        for key, value in {**limits, "min_visible": min_visible}.items():
            check_range(name, key, value)
        if ignore > keep:
            raise ValueError(f"{name}: ignore={ignore} is above keep={keep}; it must be below it")
        self.labels, self.classes = labels, classes
        self.keep, self.ignore, self.overlap = keep, ignore, overlap
        self.decay, self.prior, self.min_visible = decay, prior, min_visible
        self.source: ExternalInstances | None = None
        self.class_names: list[str] = []
        # Right ones and all, by class and score: against annotations, and against the teacher.
        self.counts = torch.zeros(2, 2, 0, BINS, dtype=torch.float64)
        # The sum of the precisions of boxes that the teacher found too, and of all boxes.
        self.finds = torch.zeros(2, dtype=torch.float64)

    def on_attach(self, model: TeacherStudent) -> None:
        """Only detectors have boxes."""
        detector_only(self, model, "learns boxes")
        super().on_attach(model)
        self.counts = torch.zeros(2, 2, model.num_classes, BINS, dtype=torch.float64)

    def before_train(self, runner: Any) -> None:
        """Take the names of the classes from the training data, and open the labels."""
        super().before_train(runner)
        dataset = runner.train_dataloader.dataset
        self.class_names = list((getattr(dataset, "metainfo", None) or {}).get("classes") or ())
        self._open()

    def state_dict(self) -> dict[str, Any]:
        """What has been measured."""
        return {"counts": self.counts, "finds": self.finds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.counts, self.finds = state["counts"].cpu(), state["finds"].cpu()

    @property
    def precision(self) -> Tensor:
        """Of the source's boxes (C, B), by class and score."""
        against = self.counts[0] if self.counts[0, 1].sum() >= _ENOUGH else self.counts.sum(0)
        return shrunken(against[0], against[1], prior=self.prior)

    @property
    def found(self) -> float:
        """The share of the source's right boxes that the teacher finds."""
        return float(self.finds[0] / self.finds[1].clamp(min=1e-6))

    # ------------------------------------------------------------------ the step

    @torch.no_grad()
    def before_teacher(self, step: Step) -> None:
        """Compare the source's boxes of annotated images with the annotations."""
        counts = torch.zeros_like(self.counts[0])
        for sample in step.sup.samples if step.sup is not None else ():
            if sample.metainfo.get("exhaustive") is not None:
                continue  # an object may be there that nobody annotated
            truth = PseudoBoxes.of(sample.gt_instances)
            bare = PseudoBoxes(bboxes=truth.bboxes, labels=truth.labels)
            theirs = self._open().of(sample, bare, self.min_visible)
            if theirs is not None and len(theirs):
                right = _supported(theirs, bare, bare.value("scores"), self.overlap) > 0
                counts += self._tally(theirs, right.float())
        self._add(0, counts)

    @torch.no_grad()
    def after_teacher(self, step: Step) -> None:
        """Add the boxes that are probably right, and ignore the doubtful ones."""
        counts, finds = torch.zeros_like(self.counts[1]), torch.zeros_like(self.finds)
        for image, sample in enumerate(step.weak_views.samples):
            own = step.pseudo_boxes[image]
            theirs = self._open().of(sample, own, self.min_visible)
            if theirs is None or not len(theirs):
                continue
            every = PseudoBoxes.cat([_bare(own), *map(_bare, step.dropped[image].values())])
            support = _supported(theirs, every, every.scores, self.overlap)
            counts += self._tally(theirs, support)
            precision = self.precision.to(support)
            reliable = precision[theirs.labels, bin_of(theirs.scores, BINS)]
            finds += torch.stack([(reliable * support).sum(), reliable.sum()]).cpu()
            theirs.scores = pooled(reliable, support, self.found)
            step.pseudo_boxes[image] = self._join(step, own, theirs)
        self._add(1, counts)
        all_reduce(finds)
        self.finds = self.decay * self.finds + finds
        step.log["external/precision"] = self.precision.mean()
        step.log["external/teacher_finds"] = self.found

    def _join(self, step: Step, own: PseudoBoxes, theirs: PseudoBoxes) -> PseudoBoxes:
        """The teacher's boxes and the external ones, each object once."""
        near = iou(theirs.bboxes, own.bboxes) >= self.overlap
        same = near & (theirs.labels[:, None] == own.labels)
        annotated = own.value("source") == Source.ANNOTATION
        kept, doubtful = theirs.scores >= self.keep, theirs.scores >= self.ignore
        known = (near & (annotated | (own.level >= AMBIGUOUS))).any(1)
        # A contradiction: another class at the same place.
        other = near & ~same & (own.level >= AMBIGUOUS)
        stronger = torch.where(other, own.scores + annotated, 0.0).amax(1) if len(own) else None
        if stronger is not None:
            kept &= theirs.scores > stronger
        kept &= ~(near & annotated).any(1)
        beaten = (near & kept[:, None] & ~annotated).any(0)
        fused = _fused(theirs[kept], own, same[kept] & ~annotated)
        doubtful &= ~kept & ~known
        theirs.weight_cls = theirs.weight_box = theirs.scores
        theirs.level = torch.where(kept, HIGH, LOW)
        added, regions = theirs[kept], theirs[doubtful]
        added.bboxes = fused
        images = len(step.pseudo_boxes)
        step.count("external/kept", len(added) / images)
        step.count("external/ignored", len(regions) / images)
        step.count("external/dropped", (len(theirs) - len(added) - len(regions)) / images)
        return PseudoBoxes.cat([own[~beaten], added, regions])

    def _tally(self, boxes: PseudoBoxes, right: Tensor) -> Tensor:
        """Right boxes and all of them (2, C, B)."""
        place = (boxes.labels * BINS + bin_of(boxes.scores, BINS)).cpu()
        counts = self.counts.new_zeros(2, self.counts.shape[2] * BINS)
        counts[0].index_add_(0, place, right.to(counts).cpu())
        counts[1].index_add_(0, place, counts.new_ones(len(place)))
        return counts.view(2, -1, BINS)

    def _add(self, against: int, counts: Tensor) -> None:
        all_reduce(counts)
        self.counts[against] = self.decay * self.counts[against] + counts

    def _open(self) -> ExternalInstances:
        if self.source is None:
            count = self.attached_model.num_classes
            name, known = type(self).__name__, self.class_names
            self.source = ExternalInstances(name, self.labels, known, self.classes, count)
        return self.source


def _bare(boxes: PseudoBoxes) -> PseudoBoxes:
    return PseudoBoxes(bboxes=boxes.bboxes, labels=boxes.labels, scores=boxes.scores)


def _supported(boxes: PseudoBoxes, others: PseudoBoxes, scores: Tensor, overlap: float) -> Tensor:
    """For each box the highest score of others of its class at its place; 0 without any."""
    if not len(others):
        return torch.zeros_like(boxes.scores)
    same = (iou(boxes.bboxes, others.bboxes) >= overlap) & (boxes.labels[:, None] == others.labels)
    return torch.where(same, scores, 0.0).amax(1)


def _fused(theirs: PseudoBoxes, own: PseudoBoxes, same: Tensor) -> Tensor:
    """Corners (K, 4): means of a box and the teacher's boxes of its object, by their scores."""
    weights = same * own.scores
    total = theirs.scores + weights.sum(1)
    mean = theirs.scores[:, None] * theirs.bboxes + weights @ own.bboxes
    mean = mean / total.clamp(min=1e-6)[:, None]
    return mean.where(same.any(1)[:, None], theirs.bboxes)
