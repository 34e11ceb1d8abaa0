"""Labeled and unlabeled images have normalization layers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ...models.domain_norm import domain_norms, labeled_domain
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ..step_hook import StepHook


@HOOKS.register_module()
class DomainNormHook(StepHook):
    """The student's pass on labeled images goes through norm layers of its own.

    AdaptOR (Srivastav et al., MedIA 2022), for labeled and unlabeled images of different domains.
    Which layers have a twin is said in the model: `norm_cfg=dict(type='DomainBN')` (or `DomainGN`)
    of the backbone and the neck; AdaptOR leaves out the RoI heads. Labeled images go through the
    twins; everything else, the teacher, evaluation and export included, through the plain layers,
    which are those of the unlabeled domain.

    In the burn-in all images go through the plain layers; the twins start as copies of these.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> segmentor().attach(DomainNormHook())
        Traceback (most recent call last):
        ValueError: DomainNormHook: the student has no layer DomainBN or DomainGN. Set norm_cfg...
    """

    phase = Phase.LOSS

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a student without such layers."""
        if not domain_norms(model.student):
            raise ValueError(
                f"{type(self).__name__}: the student has no layer DomainBN or DomainGN. Set "
                "norm_cfg=dict(type='DomainBN') in its backbone (and neck)"
            )
        super().on_attach(model)

    def before_teacher(self, step: Step) -> None:
        """At the end of the burn-in the twins begin as copies."""
        if step.iteration == step.model.burn_in > 0:
            for layer in domain_norms(step.model.student):
                layer.split()

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Labeled images go through the twins."""
        apart = branch == "sup" and step.iteration >= step.model.burn_in
        with labeled_domain(step.model.student) if apart else nullcontext():
            yield

    def after_loss(self, step: Step) -> None:
        """Connect all layers to the loss: not every step has both domains."""
        step.losses["sup_loss_domain_norm"] = step.model.zero_loss()
