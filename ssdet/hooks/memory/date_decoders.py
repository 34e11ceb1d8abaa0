"""SemiCD-VL: each date of a pair is segmented for itself, and lies apart where it changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...labels import IGNORE
from ...losses import masked_cross_entropy, pixel_mean, separated
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.recording import changed_results, recorded_input
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.fading_labels import FadingLabelsHook, Learner, Mean
from .._parts.model_kind import segmentor_only


@HOOKS.register_module()
class DateDecodersHook(FadingLabelsHook):
    """Segment each date of a pair with a decoder of its own, and keep apart what changed.

    SemiCD-VL (TGRS 2024). A second decode head sees the features of each image alone, before they
    are fused. It learns the external labels of both dates (`LoadChangeEvents`) with a weight that
    fades. What it projects to classes is also compared: over labeled and pseudo-labeled pixels, the
    distance d between the dates is to be 0 where nothing changed, and at least `margin` elsewhere:
    d^2 or max(0, margin - d)^2. The student's own head, teacher, inference and export are
    affected only through the backbone.

    The external term is `date_loss`: weight times the mean of the labeled, weak and strong terms,
    each the mean of both dates. The contrast is `sup_loss_dates` (changed and unchanged pixels
    count half each) and `unsup_loss_dates` (weighted like the pseudo labels).

    Args:
        head: Name in the model's `auxiliary` of a decode head for the features of one image.
        start, end, length, on, mean: See `ExternalLabelsHook`.
        contrast: Factor on the contrast; 0 leaves it out.
        margin: Distance from which changed pixels are apart enough.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> segmentor().attach(DateDecodersHook())
        Traceback (most recent call last):
        TypeError: DateDecodersHook: compares two dates, but EncoderDecoder sees one image; ...
    """

    field = "date_sem_seg"
    prefix = "date"
    learns_without_labels = True

    def __init__(
        self,
        head: str = "dates",
        *,
        start: float = 0.1,
        end: float = 0.0,
        length: int | None = None,
        on: Sequence[Learner] = ("labeled", "weak", "strong"),
        mean: Mean = "known",
        contrast: float = 0.1,
        margin: float = 2.0,
    ) -> None:
        super().__init__(head, start=start, end=end, length=length, on=on, mean=mean)
        check_range(type(self).__name__, "contrast", contrast, 0, float("inf"))
        check_range(type(self).__name__, "margin", margin, 1e-6, float("inf"))
        self.contrast, self.margin = contrast, margin
        self._decoded: dict[str, tuple[Tensor, Tensor]] = {}

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that sees single images, or has no decoder for them."""
        name = type(self).__name__
        model = segmentor_only(self, model, "compares two dates")
        if not hasattr(model.student, "fuse"):
            raise TypeError(
                f"{name}: compares two dates, but {type(model.student).__name__} sees one image; "
                "use type='SiameseSegmentor' with pairs of images"
            )
        head = dict(model.auxiliary.items()).get(self.head)
        if not isinstance(getattr(head, "conv_seg", None), nn.Module):
            raise ValueError(
                f"{name}: there is no decode head {self.head!r} that ends in a projection "
                f"`conv_seg`; the model's auxiliary has {sorted(model.auxiliary)}. Give it one: "
                f"auxiliary=dict({self.head}=<config of a decode head for one image>)"
            )
        super().on_attach(model)

    def before_teacher(self, step: Step) -> None:
        """Clear the last step."""
        super().before_teacher(step)
        self._decoded = {}

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Keep the features of both dates in this pass."""

        def remember(fused: Any, features: Any) -> Any:
            self._features[branch] = features
            return fused

        with changed_results(step.model.student, "fuse", remember):
            yield

    def part(self, step: Step) -> Any:
        """The decoder of each date."""
        return step.model.auxiliary[self.head]

    def unlike(self, step: Step) -> str:
        """An annotation says what changed, not what is there."""
        return "each date"

    def after_loss(self, step: Step) -> None:
        """Add the contrast, then the loss of the external labels."""
        if self.contrast:
            self._add_contrast(step)
        super().after_loss(step)
        self._decoded = {}

    def term(self, step: Step, name: str, maps: Tensor) -> Tensor:
        """Mean over both dates of the cross entropy."""
        head = self.part(step)
        dates = self._decode(step, name)[0].chunk(2)
        losses = []
        for logits, labels in zip(dates, maps.unbind(1), strict=True):
            large, known = _resized(logits, labels.shape[-2:], head), labels != IGNORE
            over = self.over(name, known)
            losses.append(masked_cross_entropy(large, labels, known.float(), over))
        return torch.stack(losses).mean()

    def _add_contrast(self, step: Step) -> None:
        """Of labeled views, and with pseudo labels of strong ones."""
        model: Any = step.model
        if step.sup is not None:
            self.look(step, "sup", step.sup)
            labels = torch.stack([one.gt_sem_seg.data[0] for one in step.sup.samples]).long()
            losses = self._distances(step, "sup", labels)
            known = labels != IGNORE
            halves = [known & (labels == 0), known & (labels != 0)]
            means = [pixel_mean(losses, half.float(), half) for half in halves]
            step.losses["sup_loss_dates"] = model.sup_weight * self.contrast * sum(means)
        terms = []
        for name, targets in step.targets.items():
            self.look(step, name, step.strong[name])
            losses = self._distances(step, name, targets.labels)
            loss = pixel_mean(losses, targets.weights, targets.valid, model.reduction)
            terms.append(step.shares[name] * loss)
        if terms:
            factor = step.unsup_weight * self.contrast
            step.losses["unsup_loss_dates"] = factor * torch.stack(terms).sum()

    def _distances(self, step: Step, name: str, labels: Tensor) -> Tensor:
        """The loss of each pixel of a view."""
        distances = _resized(self._decode(step, name)[1], labels.shape[-2:], self.part(step))
        return separated(distances[:, 0], labels != 0, self.margin)

    def _decode(self, step: Step, name: str) -> tuple[Tensor, Tensor]:
        """Logits of all earlier and then all later images, and the distances between the dates."""
        if name not in self._decoded:
            head = self.part(step)
            projected: list[Tensor] = []
            with recorded_input(head.conv_seg, projected.append):
                logits = head(self._features[name])
            earlier, later = (one.movedim(1, -1) for one in projected[0].float().chunk(2))
            self._decoded[name] = logits, F.pairwise_distance(earlier, later)[:, None]
        return self._decoded[name]


def _resized(maps: Tensor, size: Any, head: Any) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=head.align_corners)
