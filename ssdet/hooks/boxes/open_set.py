"""Open set: pseudo boxes on objects of no known class teach nothing."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from ...losses.open_set import multi_binary, open_probabilities
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import LOW
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.box_features import box_features
from .._parts.softmax_heads import check_softmax_heads
from ..step_hook import StepHook


@HOOKS.register_module()
class OpenSetHook(StepHook):
    """Ignore pseudo boxes that are probably none of the known classes.

    IOMatch (Li et al., ICCV 2023) for boxes: beside the classifier, a binary one for each class
    learns from labeled boxes whether an object is of this class. The probability of an unknown
    object is the sum of p_k (1 - pos_k). A pseudo box above `unknown` becomes a region to ignore:
    neither an object nor background. The training of IOMatch with an open target of its own is
    left out: a detector has the background, and no class of unknown objects. Unlike there, the
    features do not follow the binary classifiers: with a few boxes, they cost the detector more
    than unknown objects do.

    Args:
        head: Name of a `FeatureProjector` in the model's `auxiliary`, whose channels are the
            classes.
        weight: Factor on the loss of the binary classifiers.
        unknown: See above; IOMatch has 0.5.
        begin: Iterations after the burn-in before boxes are ignored.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(OpenSetHook())  # a RetinaNet has no features of boxes
        Traceback (most recent call last):
        TypeError: OpenSetHook: judges boxes and works with two-stage ...
    """

    phase = Phase.WEIGHT
    needs = frozenset({"features"})
    needs_twin = True

    def __init__(
        self, *, head: str = "open_set", weight: float = 1.0, unknown: float = 0.5, begin: int = 0
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "unknown", unknown)
        check_range(name, "begin", begin, 0, float("inf"))
        self.head, self.weight, self.unknown, self.begin = head, weight, unknown, begin

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without RoI heads, and models without the binary classifiers."""
        name = type(self).__name__
        check_softmax_heads(name, model, "judges boxes", "be judged by class")
        found: Any = dict(model.auxiliary.items()).get(self.head)
        channels = getattr(found, "channels", None)
        if channels != model.num_classes:
            raise ValueError(
                f"{name}: auxiliary of the model has {sorted(model.auxiliary)}; it needs "
                f"{self.head}=dict(type='FeatureProjector', in_channels=..., "
                f"channels={model.num_classes}), a channel for each class"
            )
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Find unknown objects."""
        if step.iteration - step.model.burn_in < self.begin:
            return
        found = step.pseudo_boxes
        corners = [boxes.bboxes for boxes in found]
        features, logits = box_features(step.model.teacher, step.teacher_features, corners)
        closed = logits[:, :-1].softmax(1)
        unknown = open_probabilities(closed, self._positive(step, features))[:, -1]
        parts = zip(found, unknown.split([len(one) for one in corners]), strict=True)
        for boxes, own in parts:
            foreign = own > self.unknown
            boxes.level = torch.where(foreign, LOW, boxes.value("level"))
            step.count("open_set/unknown", foreign.sum() / len(found))

    def after_loss(self, step: Step) -> None:
        """The binary classifiers learn from labeled boxes."""
        loss = step.model.zero_loss(step.model.auxiliary[self.head])
        if step.sup is not None and "sup" in step.features:
            given = [sample.gt_instances for sample in step.sup.samples]
            corners = [get_box_tensor(one.bboxes) for one in given]
            with torch.no_grad():  # the detector does not learn along
                features, _ = box_features(step.model.student, step.features["sup"], corners)
            labels = torch.cat([one.labels for one in given])
            loss = loss + multi_binary(self._positive(step, features), labels)
        step.losses["sup_loss_open_set"] = loss * self.weight

    def _positive(self, step: Step, features: Tensor) -> Tensor:
        return step.model.auxiliary[self.head](features).float().sigmoid()
