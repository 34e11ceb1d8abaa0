"""Dice with pseudo labels that may be wrong."""

from __future__ import annotations

from torch import Tensor

from ...losses.agreement import agreement, noise_weighted_dice
from ...registry import HOOKS
from ...teacher_student.schedules import Ramp
from ...teacher_student.step import Step
from ...validation import check_range
from .consistency import ConsistencyHook


@HOOKS.register_module()
class NoisyDiceHook(ConsistencyHook):
    """A Dice loss in which pixels count as much as the teacher agrees with their label.

    After "Annotation-efficient learning" (TMI 2022): L = 1 - 2 sum(w p y) / sum(w (p + y)), with
    the weights w = 1 - |p' - y| from a prediction p' beside the one that made the label y. Where
    the labels come from earlier (`PseudoLabelDiskHook(use=True)`), the current teacher weights
    them; labels that it has just predicted get their own confidence as weight. For this loss
    alone set `unsup_weight=0.0` of the model.

    Args:
        weight, ramp_length, ramp_kind: Factor on the loss; see `ConsistencyHook`.
        power: Exponent of the weights: above 1 doubtful labels count less, 0 makes them all 1.
        squared: With p^2 + y^2 in the denominator, as in V-Net.
        per_class: One ratio for each class over the batch, and their mean: a small organ counts as
            much as the background. Else one ratio for each image, over all classes; without
            `squared` that is 1 - sum(w p_label) / sum(w), in which the background outweighs all.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), NoisyDiceHook(weight=0.5, power=1.5))
        >>> bool(step.losses["unsup_loss_noisy_dice"] > 0)
        True
    """

    loss_name = "noisy_dice"

    def __init__(
        self,
        weight: float = 1.0,
        *,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
        power: float = 1.0,
        squared: bool = False,
        per_class: bool = False,
    ) -> None:
        super().__init__(weight, ramp_length=ramp_length, ramp_kind=ramp_kind)
        check_range(type(self).__name__, "power", power, 0, float("inf"))
        self.power, self.squared, self.per_class = power, squared, per_class

    def compare(self, step: Step, name: str) -> Tensor:
        """Weighted Dice of the student with the labels of a view."""
        targets = step.targets[name]
        student, teacher = self.probabilities(step.outputs[name], targets)
        weights = agreement(teacher, targets.labels) ** self.power * targets.weights * targets.valid
        trained = weights[targets.valid & (targets.weights > 0)]
        if trained.numel():
            step.count("noisy_dice/weight", trained.mean() * step.shares[name])
        return noise_weighted_dice(
            student, targets.labels, weights, squared=self.squared, per_class=self.per_class
        )
