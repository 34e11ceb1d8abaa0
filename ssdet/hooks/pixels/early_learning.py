"""Early learning: the student keeps what it learned before it learned wrong labels by heart."""

from __future__ import annotations

from torch import Tensor

from ...losses import early_learning, pixel_mean
from ...registry import HOOKS
from ...teacher_student.schedules import Ramp
from ...teacher_student.step import Step
from .consistency import ConsistencyHook


@HOOKS.register_module()
class EarlyLearningHook(ConsistencyHook):
    """Add log(1 - <t, p>) of the student's probabilities p and those t of the averaged teacher.

    ELR (Liu et al., NeurIPS 2020): the loss holds the student to what it has predicted on average,
    against labels that contradict it. There t is a memory of each image. Here the teacher, an
    average of the student, says it online, so no pixel is stored; that is ours. Pixels without a
    pseudo label have nothing to be held against, and do not count.

    Args:
        weight: Factor on the loss; ELR has 3 (7 with a hundred classes).
        ramp_length, ramp_kind: See `ConsistencyHook`.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), EarlyLearningHook())
        >>> bool(step.losses["unsup_loss_early_learning"] < 0)  # a logarithm of less than 1
        True
    """

    loss_name = "early_learning"

    def __init__(
        self, weight: float = 3.0, *, ramp_length: int = 0, ramp_kind: Ramp = "sigmoid"
    ) -> None:
        super().__init__(weight, ramp_length=ramp_length, ramp_kind=ramp_kind)

    def compare(self, step: Step, name: str) -> Tensor:
        """Mean of the regularizer, weighted as the pseudo labels are."""
        targets = step.targets[name]
        student, teacher = self.probabilities(step.outputs[name], targets)
        return pixel_mean(early_learning(student, teacher), targets.weights, targets.valid)
