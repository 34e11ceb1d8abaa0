"""Weak-to-strong contrast: what a proposal is in the weak view, it is in the strong one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from ...losses import class_sums, cross_view_contrast
from ...registry import HOOKS
from ...teacher_student.core import STRONG, WEAK, TeacherStudent
from ...teacher_student.geometry import areas, between, clip_boxes, project_boxes
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...thresholds import certainty, class_cosines
from ...validation import check_range
from .._parts.box_features import box_features
from .._parts.cached_images import are_mixed
from .._parts.softmax_heads import check_softmax_heads
from ..step_hook import StepHook


@dataclass(frozen=True)
class Seen:
    """Proposals (N,) in both views: projected features, and the teacher's probabilities."""

    strong: Tensor
    weak: Tensor
    probabilities: Tensor


@HOOKS.register_module()
class RoIContrastHook(StepHook):
    """A contrast of the student's features of proposals with the teacher's, between the views.

    Inspired by WSCoL (source-free adaptation by weak-to-strong contrast, 2023), whose equations we
    could not read: strong augmentation hides classes, so features of the weak view lead those of
    the strong one. Proposals are the teacher's, in the weak view. A `FeatureProjector` maps their
    features; the nearest prototype (the running mean of certain proposals of a class, the
    background among them) gives the class; proposals of one class attract, others repel each
    other (`ssdet.losses.cross_view_contrast`). Background of which the teacher is unsure repels
    less. Certain proposals also learn 1 - cos(strong, weak).

    Args:
        head: Name of the `FeatureProjector` in the model's `auxiliary` and `auxiliary_teachers`.
        weight: Factor on the contrast, beside the unsupervised weight.
        map_weight: Factor on the loss of the cosines.
        proposals: Of each image; the best.
        temperature: By which cosines are divided.
        certain: A proposal is certain above this probability.
        momentum: Share of a prototype that a step keeps.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(RoIContrastHook())  # a RetinaNet has no proposals
        Traceback (most recent call last):
        TypeError: RoIContrastHook: contrasts proposals and works with two-stage ...
    """

    phase = Phase.LOSS
    needs = frozenset({"teacher_outputs", "features"})
    needs_twin = True

    def __init__(
        self,
        *,
        head: str = "projector",
        weight: float = 0.1,
        map_weight: float = 0.1,
        proposals: int = 128,
        temperature: float = 0.07,
        certain: float = 0.8,
        momentum: float = 0.99,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(weight=weight, map_weight=map_weight).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "proposals", proposals, 2, float("inf"))
        check_range(name, "temperature", temperature, 1e-3, float("inf"))
        for key, value in dict(certain=certain, momentum=momentum).items():
            check_range(name, key, value)
        self.head, self.weight, self.map_weight = head, weight, map_weight
        self.proposals, self.temperature = proposals, temperature
        self.certain, self.momentum = certain, momentum
        self.prototypes: Tensor | None = None  # (K + 1, D); zero: none yet

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads, and models without the projector."""
        name = type(self).__name__
        check_softmax_heads(name, model, "contrasts proposals", "be compared by a softmax")
        for kind in ("auxiliary", "auxiliary_teachers"):
            if self.head not in getattr(model, kind):
                raise ValueError(
                    f"{name}: {kind} of the model has no {self.head!r}. Set auxiliary=dict("
                    f"{self.head}=dict(type='FeatureProjector', in_channels=...)) and "
                    f"auxiliary_teachers=[{self.head!r}]."
                )
        super().on_attach(model)

    def after_loss(self, step: Step) -> None:
        """Add the losses; then the prototypes move."""
        projector = step.model.auxiliary[self.head]
        loss = step.model.zero_loss(projector)
        if step.targets:
            seen = self._seen(step)
            if seen is not None:
                loss = loss + self._losses(step, seen)
            self._move(step, seen)
        step.losses["unsup_loss_roi_contrast"] = loss * step.unsup_weight

    def _losses(self, step: Step, seen: Seen) -> Tensor:
        labels, background = self._labels(seen), seen.probabilities.shape[1] - 1
        doubt = certainty(seen.probabilities)
        weights = torch.where(labels < background, 1.0, doubt)
        contrast = cross_view_contrast(seen.strong, seen.weak, labels, weights, self.temperature)
        sure = seen.probabilities.amax(1) > self.certain
        apart = 1 - F.cosine_similarity(seen.strong, seen.weak)
        step.count("roi_contrast/objects", (labels < background).float().mean())
        mapped = (apart * sure).sum() / sure.sum().clamp(min=1)
        return self.weight * contrast + self.map_weight * mapped

    def _labels(self, seen: Seen) -> Tensor:
        """Classes (N,) by the prototypes; by the teacher until there are any."""
        if self.prototypes is None:
            return seen.probabilities.argmax(1)
        known = self.prototypes.to(seen.weak)
        rows = [own[None] if bool(own.any()) else own[None][:0] for own in known]
        return class_cosines(seen.weak, rows).argmax(1)

    def _seen(self, step: Step) -> Seen | None:
        """The proposals that both views show; None without any."""
        if STRONG not in step.features or are_mixed(step.strong[STRONG]):
            return None
        model: Any = step.model
        weak, strong = [], []
        views = zip(step.weak_views.samples, step.strong[STRONG].samples, strict=True)
        found = step.teacher_outputs[WEAK].proposals
        for (source, target), one in zip(views, found, strict=True):
            boxes = one.bboxes[: self.proposals]
            hull = project_boxes(boxes, between(source, target))
            moved = clip_boxes(hull, target.img_shape)
            kept = (areas(moved) > 0.5 * areas(hull)) & ((moved[:, 2:] - moved[:, :2]) > 1).all(1)
            weak.append(boxes[kept])
            strong.append(moved[kept])
        if not sum(len(boxes) for boxes in weak):
            return None
        with torch.no_grad():
            features, logits = box_features(model.teacher, step.teacher_features, weak)
            teacher = model.auxiliary_teachers[self.head](features).float()
        own, _ = box_features(model.student, step.features[STRONG], strong)
        student = model.auxiliary[self.head](own).float()
        return Seen(student, teacher, logits.softmax(1))

    @torch.no_grad()
    def _move(self, step: Step, seen: Seen | None) -> None:
        """Prototypes towards the means of the certain proposals of all processes."""
        width = self._width()
        classes = step.model.num_classes + 1
        sums = torch.zeros(classes, width + 1, device=next(step.model.parameters()).device)
        if seen is not None:
            scores, labels = seen.probabilities.max(1)
            members = F.one_hot(labels, classes).bool() & (scores > self.certain)[:, None]
            sums = class_sums(F.normalize(seen.weak, dim=1), members)
        all_reduce(sums)
        counts, before = sums[:, -1:], self.prototypes
        if not bool(counts.any()):
            return
        new = F.normalize(sums[:, :-1], dim=1)
        if before is not None:
            before = before.to(new)
            moved = F.normalize(self.momentum * before + (1 - self.momentum) * new, dim=1)
            new = torch.where(before.any(1, keepdim=True), moved, new)
            new = torch.where(counts > 0, new, before)
        self.prototypes = new

    def _width(self) -> int:
        projector: Any = self.attached_model.auxiliary[self.head]
        return int(projector.channels)

    def state_dict(self) -> dict[str, Any]:
        """The prototypes."""
        return {} if self.prototypes is None else {"prototypes": self.prototypes.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the prototypes."""
        self.prototypes = state.get("prototypes")
