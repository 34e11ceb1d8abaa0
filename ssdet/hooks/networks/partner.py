"""A partner network that learns beside the student, and of which the teacher is an average."""

from __future__ import annotations

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from .._parts.network_hook import NetworkHook


@HOOKS.register_module()
class PartnerHook(NetworkHook):
    """Train the partner of `teacher=dict(partner=...)`, such as a larger network.

    It learns the labeled images, and the pseudo labels that its own average gives, as the student
    does. `TeacherEMAHook` makes the teacher follow it. Only the student is deployed.

    Args:
        network: Key of the partner in `auxiliary` of the model.
        unlabeled: It learns pseudo labels too; if not, labeled images alone.

    Examples:
        >>> PartnerHook("larger", unlabeled=False).names
        ('larger',)
        >>> from ssdet.testing import fcn, segmentor
        >>> segmentor(auxiliary=dict(partner=fcn())).attach(PartnerHook())
        Traceback (most recent call last):
        ValueError: PartnerHook: the teacher is no average of 'partner'; set...
    """

    phase = Phase.LOSS
    pixels_only = False

    def __init__(self, network: str = "partner", *, unlabeled: bool = True) -> None:
        self.names = (network,)
        self.unlabeled = unlabeled

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model whose teacher does not follow this network."""
        super().on_attach(model)
        if model.followed != self.names[0]:
            raise ValueError(
                f"{type(self).__name__}: the teacher is no average of {self.names[0]!r}; set "
                f"teacher=dict(partner={self.names[0]!r}) in the model"
            )

    def after_loss(self, step: Step) -> None:
        """The losses of the partner."""
        self.supervise(step, self.names[0])
        for view, targets in step.targets.items() if self.unlabeled else ():
            if not isinstance(targets, PixelLabels):
                # A detector may have written into those of the student.
                targets = [sample.clone() for sample in targets]
            self.teach(step, self.names[0], view, targets)
