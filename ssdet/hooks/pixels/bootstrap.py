"""Confidence bootstrapping: a student that is better than its teacher trusts itself."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ...losses import pixel_mean
from ...registry import HOOKS
from ...teacher_student.schedules import Ramp, ramp
from ...teacher_student.step import Step
from ...validation import check_range
from .consistency import ConsistencyHook


@HOOKS.register_module()
class BootstrapHook(ConsistencyHook):
    """(1 - a) CE(student, pseudo label) + a CE(student, its own most probable class).

    The auxiliary confidence loss of "Weak-to-strong generalization" (Burns et al., 2023): a student
    may contradict a weak teacher's labels where it is sure itself. There its own predictions are
    cut at a threshold that balances two classes; for many classes the most probable one is taken.
    Only pixels that have a pseudo label count, in both parts.

    Args:
        weight: The share a, at most 0.99: without any pseudo label there is nothing to begin with.
        ramp_length, ramp_kind: The share rises from 0; see `ConsistencyHook`. Without a ramp an
            untrained student trusts itself.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), BootstrapHook(0.5))
        >>> bool((step.targets["unsup_student"].weights <= 0.5).all())
        True
    """

    loss_name = "bootstrap"
    needs = frozenset({"student_outputs"})

    def __init__(
        self, weight: float = 0.5, *, ramp_length: int = 0, ramp_kind: Ramp = "linear"
    ) -> None:
        check_range(type(self).__name__, "weight", weight, 0, 0.99)
        super().__init__(weight, ramp_length=ramp_length, ramp_kind=ramp_kind)

    def before_student(self, step: Step) -> None:
        """Pseudo labels have the rest of the weight."""
        since = step.iteration - step.model.burn_in
        share = self.weight * ramp(since, self.ramp_length, self.ramp_kind)
        for targets in step.targets.values():
            targets.weights = targets.weights * (1 - share)
        step.log["bootstrap/share"] = share

    def compare(self, step: Step, name: str) -> Tensor:
        """Cross entropy of the student with its own classes, times the unsupervised weight."""
        targets = step.targets[name]
        student = self.enlarged(step.outputs[name], targets.labels.shape[-2:])
        losses = F.nll_loss(student.clamp(min=1e-8).log(), student.argmax(1), reduction="none")
        kept = (targets.weights > 0).float()
        model: Any = step.model
        return step.unsup_weight * pixel_mean(losses, kept, targets.valid, model.reduction)
