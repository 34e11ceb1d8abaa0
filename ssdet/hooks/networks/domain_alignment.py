"""Domain alignment: features must not tell whether an image has labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...losses.domains import domain_loss, reversed_gradient
from ...models.domain_classifier import DomainClassifier
from ...registry import HOOKS
from ...teacher_student.core import STRONG, TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook


@HOOKS.register_module()
class DomainAlignmentHook(StepHook):
    """The student learns features of which a classifier cannot say if the image has labels.

    The domain adaptor of Efficient Teacher (Xu et al., 2023). A `DomainClassifier` of the model's
    `auxiliary` learns to tell labeled from unlabeled images at each place of the neck's maps, and
    its gradient reaches the student with the opposite sign. In the burn-in the student sees the
    weak views of the unlabeled images for this alone; afterwards it is the strong views that it
    learns from. The loss does not take the weight of unlabeled images.

    Args:
        classifier: Its name in the model's `auxiliary`.
        weight: Factor on the loss.
        gamma: Exponent of the focal loss: the larger, the less a sure answer counts.
        after_burn_in: Also after the burn-in; else in the burn-in alone.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(DomainAlignmentHook())  # without a classifier
        Traceback (most recent call last):
        ValueError: DomainAlignmentHook: auxiliary of the model has no DomainClassifier ...
    """

    phase = Phase.LOSS
    needs = frozenset({"features"})
    learns_without_labels = True

    def __init__(
        self,
        classifier: str = "domains",
        *,
        weight: float = 0.01,
        gamma: float = 2.0,
        after_burn_in: bool = True,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(weight=weight, gamma=gamma).items():
            check_range(name, key, value, 0, float("inf"))
        self.classifier, self.weight, self.gamma = classifier, weight, gamma
        self.after_burn_in = after_burn_in

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors, and a model without the classifier."""
        detector_only(self, model, "compares the maps of a neck")
        found = dict(model.auxiliary.items()).get(self.classifier)
        if not isinstance(found, DomainClassifier):
            raise ValueError(
                f"{type(self).__name__}: auxiliary of the model has no DomainClassifier called "
                f"{self.classifier!r}; it has {sorted(model.auxiliary)}. Set auxiliary=dict("
                f"{self.classifier}=dict(type='DomainClassifier', in_channels=...))."
            )
        self.network: DomainClassifier = found
        super().on_attach(model)

    def after_loss(self, step: Step) -> None:
        """Add the loss; without one of the two kinds of images it is 0."""
        loss = step.model.zero_loss(self.network)
        unlabeled = self._unlabeled(step)
        if "sup" in step.features and unlabeled:
            labeled = self._logits(step.features["sup"])
            others = torch.cat([self._logits(features) for features in unlabeled])
            loss = loss + self.weight * domain_loss(labeled, others, self.gamma)
            right = torch.cat([labeled < 0, others > 0])
            step.count("domains/told_apart", right.float().mean())
        step.losses["unsup_loss_domain"] = loss

    def _unlabeled(self, step: Step) -> list[Sequence[Tensor]]:
        """Features of unlabeled images, with their graph."""
        if step.iteration < step.model.burn_in:
            if step.weak is None or step.sup is None:
                return []
            student: Any = step.model.student
            return [student.extract_feat(step.weak.inputs)]
        if not self.after_burn_in:
            return []
        return [maps for name, maps in step.features.items() if name.startswith(STRONG)]

    def _logits(self, features: Sequence[Tensor]) -> Tensor:
        return self.network([reversed_gradient(level) for level in features])  # type: ignore[no-any-return]
