"""External labels (from another source), learned by a projection of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ...labels import IGNORE
from ...losses import masked_cross_entropy
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import last_decode_head
from ...teacher_student.recording import recorded_input
from ...teacher_student.step import Step, Views
from .._parts.fading_labels import FadingLabelsHook, Learner, Mean, external_labels
from .._parts.model_kind import segmentor_only

FIELD = "second_sem_seg"


@HOOKS.register_module()
class ExternalLabelsHook(FadingLabelsHook):
    """Learn from labels of another source (a vision-language model, an old map) in a second head.

    SemiCD-VL (TGRS 2024) and SemiVL (ECCV 2024): such labels help at first and contradict the
    teacher's later. So the main projection never sees them: a second one learns them from the same
    features of the decode head, with a weight that fades. The main head, and with it teacher,
    pseudo labels and inference, is affected only through the shared layers.

    The labels come with the samples (`LoadExternalLabels`, `PackExternalLabels`): those of the weak
    view also serve the strong views, since they are transferred and mixed like pseudo labels. The
    loss is the weight times the mean of all available terms, each a cross entropy over the
    pixels that the source labels. Terms of unlabeled images begin after the burn-in. The loss is
    called `second_loss`, its terms and weight are logged as `second/...`.

    Args:
        head: Name of the second projection in the model's `auxiliary`: a `ProjectionHead`.
        start, end: The weight in the first iteration, and after the last.
        length: Iterations over which it goes from one to the other in a straight line; None: the
            whole training.
        on: Where the source is learned: "labeled" images, "weak" views (one more pass of the
            student), "strong" views. Images without external labels have no such term.
        mean: Over the "known" pixels, or in unlabeled views over "all", as SemiCD-VL's code does:
            what the source says little of then counts little.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> ExternalLabelsHook("second", start=0.1, end=0.0, on=["strong"]).on
        ('strong',)
        >>> segmentor().attach(ExternalLabelsHook())
        Traceback (most recent call last):
        ValueError: ExternalLabelsHook: there is no projection 'second' of 8 channels; ...
    """

    field = FIELD
    prefix = "second"

    def __init__(
        self,
        head: str = "second",
        *,
        start: float = 0.1,
        end: float = 0.0,
        length: int | None = None,
        on: Sequence[Learner] = ("labeled", "weak", "strong"),
        mean: Mean = "known",
    ) -> None:
        super().__init__(head, start=start, end=end, length=length, on=on, mean=mean)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model whose decode head has no projection, or no second one beside it."""
        name = type(self).__name__
        model = segmentor_only(self, model, "learns labels of pixels")
        decode_head = last_decode_head(model.student)
        projection = getattr(decode_head, "conv_seg", None)
        if not isinstance(projection, nn.Conv2d):
            raise TypeError(
                f"{name}: {type(decode_head).__name__} does not end in a projection "
                "`conv_seg`, so no second one can be added. Choose another decode head."
            )
        width = projection.in_channels
        second: Any = dict(model.auxiliary.items()).get(self.head)
        if getattr(second, "in_channels", None) != width or not hasattr(second, "num_classes"):
            raise ValueError(
                f"{name}: there is no projection {self.head!r} of {width} channels; the model's "
                f"auxiliary has {sorted(model.auxiliary)}. Give it one: auxiliary=dict("
                f"{self.head}=dict(type='ProjectionHead', in_channels={width}, num_classes=...))"
            )
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Keep the features that the decode head projects to its classes in this pass."""

        def remember(features: Tensor) -> None:
            self._features[branch] = features

        with recorded_input(last_decode_head(step.model.student).conv_seg, remember):
            yield

    def part(self, step: Step) -> Any:
        """The second projection."""
        return step.model.auxiliary[self.head]

    def unlike(self, step: Step) -> str:
        """The source, where its classes are others than those of the model."""
        number = self.part(step).num_classes
        return "" if number == step.model.num_classes else f"a source with {number}"

    def term(self, step: Step, name: str, maps: Tensor) -> Tensor:
        """Mean cross entropy of the second projection."""
        if name not in self._features:
            kind = type(last_decode_head(step.model.student)).__name__
            raise TypeError(
                f"{type(self).__name__}: {kind} has a projection `conv_seg` that it does not "
                "use. Take another decode head."
            )
        labels = maps[:, 0]
        known = labels != IGNORE
        logits = self._logits(step, name, labels.shape[-2:])
        return masked_cross_entropy(logits, labels, known.float(), self.over(name, known))

    def _logits(self, step: Step, name: str, size: Any) -> Tensor:
        corners = last_decode_head(step.model.student).align_corners
        logits = self.part(step)(self._features[name])
        return F.interpolate(logits, size, mode="bilinear", align_corners=corners)


def second_labels(views: Views) -> Tensor | None:
    """The external labels (B, H, W) of a batch in the frame of its views, 255 where unknown.

    None where no sample has any.
    """
    maps = external_labels(views, FIELD)
    return None if maps is None else maps[:, 0]
