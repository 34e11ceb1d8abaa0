"""Cross pseudo supervision: two networks that teach each other."""

from __future__ import annotations

from typing import Any

from ...registry import HOOKS
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from .._parts.network_hook import NetworkHook, require_average, targets_of


@HOOKS.register_module()
class CrossSupervisionHook(NetworkHook):
    """Two networks of different initialization learn each other's labels (CPS, CVPR 2021).

    On unlabeled images the student learns the labels of the second network and the second one
    those of the student, in the same (mixed) images; on labeled images each learns the annotations.
    There is no threshold and no average: list `TeacherEMAHook(momentum=0.0)`, which makes the
    teacher an exact copy of the student after each step; it labels for the student, in eval
    mode. With a higher momentum, and the second network in `auxiliary_teachers` of the model, the
    networks learn from each other's mean teachers instead. Hooks that come after this one (a
    threshold) see the labels for the student.

    Args:
        network: Key of the second network in `auxiliary` of the model.

    Examples:
        >>> from ssdet.testing import fcn, segmentor, take_step
        >>> model = segmentor(auxiliary=dict(second=fcn()))
        >>> step = take_step(model, CrossSupervisionHook("second"))
        >>> "cross/agreement" in step.log, step.targets["unsup_student"].extra_labels.shape
        (True, torch.Size([2, 1, 64, 64]))
        >>> segmentor().attach(CrossSupervisionHook("second"))
        Traceback (most recent call last):
        ValueError: CrossSupervisionHook: there is no network 'second'; ...
    """

    phase = Phase.LABEL
    needs_twin = True
    learns_all_pixels = True

    def __init__(self, network: str = "second") -> None:
        self.names = (network,)

    def before_train(self, runner: Any) -> None:
        """Refuse a teacher that does not follow its student."""
        require_average(self)
        super().before_train(runner)

    def after_teacher(self, step: Step) -> None:
        """Swap the labels: those of the student are for the other network."""
        self.swap(step, step.pseudo_pixels, self.label(step, self.names[0]))

    def swap(self, step: Step, own: PixelLabels, other: PixelLabels) -> None:
        """The labels of the second network are for the student, its own travel beside them."""
        other.extra_labels = own.labels[:, None]
        step.pseudo = other
        same = (own.labels == other.labels) & own.valid
        step.count("cross/agreement", same.sum() / own.valid.sum().clamp(min=1))

    def after_loss(self, step: Step) -> None:
        """The losses of the second network."""
        self.supervise(step, self.names[0])
        for view, targets in step.targets.items():
            self.teach(step, self.names[0], view, targets_of(targets, 0))
