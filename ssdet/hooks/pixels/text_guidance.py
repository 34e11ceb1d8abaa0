"""SemiVL: a frozen CLIP labels unlabeled images by the names of the classes, too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.foreign_parts import normalization_between
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import annealed
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import segmentor_only
from .._parts.second_labels import add_labels, second_loss
from ..step_hook import StepHook


class _RGB:
    """The preprocessor of a model that gets RGB from 0 to 255."""

    channel_conversion = True


@HOOKS.register_module()
class TextGuidanceHook(StepHook):
    """Labels of a frozen CLIP for the strong views, with a weight that fades.

    SemiVL (Hoyer et al., ECCV 2024). A vision-language model knows what the names of classes look
    like, and so helps where labels are few; it is vague about where things end. So its labels count
    where its probability reaches `score`, and less and less: `unsup_loss_text` is the weight times
    the cross entropy of the student's own logits with them.

    Args:
        labeler: Name of the `DenseTextLabeler` in the model's `auxiliary`.
        start, end: The weight in the first iteration after the burn-in, and after the last.
        length: Iterations over which it goes from one to the other in a straight line.
        score: Least probability of a label.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> TextGuidanceHook(length=100).start
        0.1
        >>> segmentor().attach(TextGuidanceHook(length=100))
        Traceback (most recent call last):
        ValueError: TextGuidanceHook: the model's auxiliary 'clip' must be a ...
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs"})
    learns_without_labels = True

    def __init__(
        self,
        *,
        labeler: str = "clip",
        start: float = 0.1,
        end: float = 0.0,
        length: int,
        score: float = 0.9,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(start=start, end=end).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "length", length, 1, float("inf"))
        check_range(name, "score", score)
        self.labeler, self.start, self.end, self.length = labeler, start, end, int(length)
        self.score = score
        self._channel: int | None = None

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or has no such labeler of its classes."""
        model = segmentor_only(self, model, "labels pixels")
        found: Any = dict(model.auxiliary.items()).get(self.labeler)
        if getattr(found, "labels_classes", None) != model.num_classes:
            raise ValueError(
                f"{type(self).__name__}: the model's auxiliary {self.labeler!r} must be a "
                f"DenseTextLabeler with names of its {model.num_classes} classes. Set auxiliary="
                f"dict({self.labeler}=dict(type='DenseTextLabeler', concepts=[...], ...))."
            )
        super().on_attach(model)

    def before_teacher(self, step: Step) -> None:
        """Forget the last step."""
        self._channel = None

    def after_teacher(self, step: Step) -> None:
        """Let CLIP label the weak views."""
        pseudo, views = step.pseudo_pixels, step.weak_views
        labeler: Any = step.model.auxiliary[self.labeler]
        scores, labels = labeler(self._raw(step, views.inputs)).max(1)
        known = (scores >= self.score) & pseudo.valid
        self._channel = add_labels(pseudo, labels.where(known, IGNORE))
        step.count("text/kept", known.sum() / pseudo.valid.sum().clamp(min=1))

    def after_loss(self, step: Step) -> None:
        """Add the loss of these labels."""
        if self._channel is None:
            return
        factor = annealed(step.iteration - step.model.burn_in, self.length, self.start, self.end)
        parts = [
            step.shares[name] * second_loss(step, name, self._channel)
            for name in step.targets
            if name in step.outputs
        ]
        loss = torch.stack(parts).sum() if parts else step.model.zero_loss()
        step.losses["unsup_loss_text"] = loss * factor
        step.log["text/weight"] = factor

    def _raw(self, step: Step, inputs: Tensor) -> Tensor:
        """The images of a view in RGB from 0 to 255."""
        preprocessor: Any = step.model.data_preprocessor
        gain, shift, turned = normalization_between(preprocessor.inner, _RGB())
        images = inputs.flip(1) if turned else inputs
        return images.float() * gain.to(inputs.device) + shift.to(inputs.device)
