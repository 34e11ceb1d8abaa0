"""Prototypes: what the features of labeled boxes say about pseudo boxes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import TEACHER_ON, Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS, HIGH
from ...teacher_student.step import Step
from ...teacher_student.weights.sparse import ProposalTargets, judged_proposals
from ...thresholds.prototypes import (
    class_cosines,
    margins,
    propagated_labels,
    prototype_labels,
    prototypes_of,
)
from ...validation import check_choice, check_range
from .._parts.box_features import box_features
from .._parts.feature_bank import FeatureBank
from .._parts.softmax_heads import check_softmax_heads
from ..step_hook import StepHook

Soft = Literal["prototypes", "neighbors", "none"]


@HOOKS.register_module()
class PrototypeLabelHook(StepHook):
    """Compare pseudo boxes with labeled ones by the teacher's features, and soften or weight them.

    A bank holds the latest features of each class (the input of the classifier) of labeled boxes,
    or of certain pseudo boxes where nothing is labeled. A pseudo box that a threshold has kept is
    uncertain up to the score `certain`, and where it has the level AMBIGUOUS; uncertain boxes that
    overlap certain ones by more than `overlap` are dropped.

    * `soft="prototypes"` (PS-TTL, ACM MM 2024): a proposal on an uncertain box learns
      softmax(cos / temperature) of the box with the mean of each class, in place of its label.
    * `soft="neighbors"` (SimMatchV2, ICCV 2023, its propagation alone): it learns the teacher's
      probabilities, smoothed by the labels of the nearest features of the bank.
    * `margin=True` (WAD): the class weight of a box is multiplied by how far the cosine of the
      best class is ahead of the second one.
    * `group` (SBCL, ICCV 2023, its subclasses alone): a class has a prototype for each so many
      features, and the nearest one counts.

    Boxes of other origin (pasted, remembered) have no such features, so hooks that add boxes cannot
    be listed beside this one.

    Args:
        certain, overlap: See above; PS-TTL has 0.9 and 0.5.
        soft: What uncertain boxes teach; "none": their labels.
        margin: See above.
        group: See above; None: one prototype a class.
        bank: Features that are kept of a class; PS-TTL has 128.
        temperature: By which cosines are divided.
        neighbors: Of the bank, for each box.
        share: Of what neighbors say; a of SimMatchV2.
        weight: Factor on the loss of soft labels.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(PrototypeLabelHook())  # a RetinaNet samples no proposals
        Traceback (most recent call last):
        TypeError: PrototypeLabelHook: compares boxes and works with two-stage ...
    """

    phase = Phase.WEIGHT
    needs = frozenset({TEACHER_ON + "sup"})
    needs_twin = True

    def __init__(
        self,
        certain: float = 0.9,
        *,
        overlap: float = 0.5,
        soft: Soft = "prototypes",
        margin: bool = False,
        group: int | None = None,
        bank: int = 128,
        temperature: float = 0.1,
        neighbors: int = 16,
        share: float = 0.1,
        weight: float = 0.1,
    ) -> None:
        name = type(self).__name__
        check_choice(name, "soft", soft, Soft)
        check_range(name, "certain", certain)
        check_range(name, "overlap", overlap)
        for key, value in dict(group=group or 1, bank=bank, neighbors=neighbors).items():
            check_range(name, key, value, 1, float("inf"))
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "temperature", temperature, 1e-3, float("inf"))
        check_range(name, "share", share, 0, 0.999)
        self.certain, self.overlap = certain, overlap
        self.soft, self.margin, self.group, self.weight = soft, margin, group, weight
        self.temperature, self.neighbors, self.share = temperature, neighbors, share
        self.bank = FeatureBank(name, bank, per_step=bank)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads, and classifications without a softmax."""
        check_softmax_heads(
            type(self).__name__, model, "compares boxes", "learn probabilities of all classes"
        )
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Give each box the probabilities that its features stand for."""
        for image in range(len(step.pseudo_boxes)):
            self._grade(step, image)
        found = [boxes.bboxes for boxes in step.pseudo_boxes]
        features, logits = box_features(step.model.teacher, step.teacher_features, found)
        cosines, known = self._cosines(features)
        counts = [len(one) for one in found]
        if self.soft != "none":
            soft = self._soft(features, logits, cosines, known).split(counts)
            for boxes, own in zip(step.pseudo_boxes, soft, strict=True):
                boxes.soft_labels = own
        ahead = margins(cosines) if bool(known.all()) else cosines.new_ones(len(cosines))
        if self.margin:
            for boxes, factor in zip(step.pseudo_boxes, ahead.split(counts), strict=True):
                boxes.weight_cls = boxes.weight_cls * factor
        step.count("prototype/classes", known.sum())
        if len(ahead):
            step.count("prototype/margin", ahead.mean())

    def _grade(self, step: Step, image: int) -> None:
        """Which boxes are uncertain; drop those that lie on certain ones."""
        boxes = step.pseudo_boxes[image]
        unsure = (boxes.scores <= self.certain) | (boxes.value("level") == AMBIGUOUS)
        boxes.level = torch.where(unsure, boxes.level.clamp(max=AMBIGUOUS), boxes.level)
        certain = boxes.bboxes[boxes.level == HIGH]
        if len(certain):
            near = bbox_overlaps(boxes.bboxes, certain).amax(1) > self.overlap
            step.drop(image, unsure & near, "overlap")

    def _cosines(self, features: Tensor) -> tuple[Tensor, Tensor]:
        classes = self.attached_model.num_classes
        rows = self.bank.rows or [features.new_zeros(0, features.shape[-1])] * classes
        prototypes = [prototypes_of(own.to(features.device), self.group) for own in rows]
        known = torch.tensor([len(own) > 0 for own in prototypes], device=features.device)
        return class_cosines(features, prototypes), known

    def _soft(self, features: Tensor, logits: Tensor, cosines: Tensor, known: Tensor) -> Tensor:
        """Probabilities (N, C + 1), the background last; all zero where nothing can be said."""
        if self.soft == "prototypes":
            return F.pad(prototype_labels(cosines, known, self.temperature), (0, 1))
        rows = self.bank.rows or [features.new_zeros(0, features.shape[-1])]
        labels = torch.cat([torch.full((len(own),), c) for c, own in enumerate(rows)])
        return propagated_labels(
            features,
            logits.softmax(-1),
            torch.cat(rows).to(features),
            labels.to(features.device),
            neighbors=self.neighbors,
            temperature=self.temperature,
            share=self.share,
        )

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within the context, proposals on uncertain boxes learn these probabilities."""
        roi_head: Any = step.model.student.roi_head
        samples = step.targets.get(branch, [])
        told = samples and all("soft_labels" in one.gt_instances for one in samples)
        judge = partial(self._judge, step, branch)
        with judged_proposals(roi_head, judge) if told else nullcontext():
            yield

    def _judge(
        self, step: Step, branch: str, stage: int, results: list[Any]
    ) -> list[ProposalTargets]:
        told = []
        for sample, result in zip(step.targets[branch], results, strict=True):
            boxes, owners = sample.gt_instances, result.pos_assigned_gt_inds.long()
            labels = boxes.soft_labels
            size = len(result.pos_priors) + len(result.neg_priors)
            unsure = (boxes.value("level") == AMBIGUOUS) & (labels.sum(1) > 0)
            soft, weight = labels.new_zeros(size, labels.shape[1]), labels.new_ones(size)
            soft[: len(owners)] = labels[owners]
            weight[: len(owners)] = (~unsure[owners]).to(weight)
            told.append(ProposalTargets(weight, soft, (1 - weight) * self.weight))
        return told

    def after_loss(self, step: Step) -> None:
        """The features of this step enter the bank."""
        if step.pseudo is None or (step.sup is not None and "sup" not in step.teacher_outputs):
            return  # the burn-in: the teacher is not asked
        if step.sup is not None:
            given = [sample.gt_instances for sample in step.sup.samples]
            source = step.teacher_outputs["sup"].features
        else:
            given = [boxes[boxes.value("level") == HIGH] for boxes in step.pseudo_boxes]
            source = step.teacher_features
        corners = [get_box_tensor(one.bboxes) for one in given]
        with torch.no_grad():
            features, _ = box_features(step.model.teacher, source, corners)
        labels = torch.cat([one.labels for one in given])
        members = F.one_hot(labels, step.model.num_classes).bool()
        self.bank.push(features, members, step.generator(type(self).__name__))

    def state_dict(self) -> dict[str, Any]:
        """The bank."""
        return self.bank.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the bank."""
        self.bank.load_state_dict(state)
