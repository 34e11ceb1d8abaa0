"""External labels (from another source), learned by a projection of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...labels import IGNORE
from ...losses import masked_cross_entropy
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import homography, warp
from ...teacher_student.heads import last_decode_head
from ...teacher_student.phase import Phase
from ...teacher_student.recording import recorded_input
from ...teacher_student.schedules import annealed
from ...teacher_student.step import Step, Views
from ...validation import check_range
from .._parts.model_kind import segmentor_only
from ..mixing.copy_paste import CopyPasteHook
from ..step_hook import StepHook

Learner = Literal["labeled", "weak", "strong"]
FIELD = "second_sem_seg"


@HOOKS.register_module()
class ExternalLabelsHook(StepHook):
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

    Examples:
        >>> from ssdet.testing import segmentor
        >>> ExternalLabelsHook("second", start=0.1, end=0.0, on=["strong"]).on
        ('strong',)
        >>> segmentor().attach(ExternalLabelsHook())
        Traceback (most recent call last):
        ValueError: ExternalLabelsHook: there is no projection 'second' of 8 channels; ...
    """

    phase = Phase.LOSS

    def __init__(
        self,
        head: str = "second",
        *,
        start: float = 0.1,
        end: float = 0.0,
        length: int | None = None,
        on: Sequence[Learner] = ("labeled", "weak", "strong"),
    ) -> None:
        name = type(self).__name__
        for key, weight in dict(start=start, end=end).items():
            check_range(name, key, weight, 0, float("inf"))
        if length is not None:
            check_range(name, "length", length, 1, float("inf"))
        unknown = sorted(set(on) - set(get_args(Learner)))
        if unknown or not on:
            raise ValueError(
                f"{name}: on={list(on)!r}: give one or more of {list(get_args(Learner))} only"
            )
        self.head, self.start, self.end, self.length = head, start, end, length
        self.on = tuple(on)
        self.follows_length = length is None
        self._features: dict[str, Tensor] = {}
        self._weak: Tensor | None = None
        self._slot = 0

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

    def before_train(self, runner: Any) -> None:
        """Let the weight fade over the whole training, unless a length was given."""
        super().before_train(runner)
        self.length = self.length or runner.max_iters

    def before_teacher(self, step: Step) -> None:
        """Clear the last step; annotations of other classes must not be mixed in."""
        self._features, self._weak = {}, None
        if self._second(step).num_classes == step.model.num_classes:
            return
        for hook in step.model.hooks:
            if getattr(hook, "source", None) == "labeled" or isinstance(hook, CopyPasteHook):
                raise ValueError(
                    f"{type(self).__name__}: {type(hook).__name__} pastes annotations of "
                    f"{step.model.num_classes} classes into labels of a source with "
                    f"{self._second(step).num_classes}. Paste between unlabeled images "
                    "(source='unlabeled', mode='unlabeled')."
                )

    def after_teacher(self, step: Step) -> None:
        """Attach the external labels to the pseudo labels, for transfer and mixing."""
        self._weak = second_labels(step.weak_views)
        if self._weak is None:
            return
        pseudo = step.pseudo_pixels
        there = [] if pseudo.extra_labels is None else [pseudo.extra_labels]
        self._slot = sum(labels.shape[1] for labels in there)
        pseudo.extra_labels = torch.cat([*there, self._weak[:, None]], dim=1)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Keep the features that the decode head projects to its classes in this pass."""

        def remember(features: Tensor) -> None:
            self._features[branch] = features

        with recorded_input(last_decode_head(step.model.student).conv_seg, remember):
            yield

    def after_loss(self, step: Step) -> None:
        """Add the loss of the second projection."""
        if self.length is None:
            raise ValueError(f"{type(self).__name__}: give length=...; there is no runner")
        weight = annealed(step.iteration, self.length, self.start, self.end)
        step.log["second/weight"] = weight
        # Connected to every parameter of the projection in every step.
        loss = step.model.zero_loss(self._second(step))
        terms = self._terms(step) if weight > 0 else {}
        for name, term in terms.items():
            step.log[f"second/{name}"] = term.detach()
            loss = loss + weight / len(terms) * term
        step.losses["second_loss"] = loss
        self._features = {}

    def _terms(self, step: Step) -> dict[str, Tensor]:
        """The cross entropy with the external labels, wherever there are any."""
        terms: dict[str, Tensor] = {}
        if "labeled" in self.on and step.sup is not None:
            maps = second_labels(step.sup)
            if maps is not None:
                terms["labeled"] = self._compare(step, "sup", step.sup, maps)
        if self._weak is not None and "weak" in self.on:
            terms["weak"] = self._compare(step, "weak", step.weak_views, self._weak)
        if self._weak is not None and "strong" in self.on:
            parts = [
                share * self._compare(step, name, step.strong[name], self._carried(step, name))
                for name, share in step.shares.items()
            ]
            terms["strong"] = torch.stack(parts).sum()
        return terms

    def _carried(self, step: Step, name: str) -> Tensor:
        extra_labels = step.targets[name].extra_labels
        if extra_labels is None:
            raise ValueError(f"{type(self).__name__}: a hook lost the external labels of {name}")
        return extra_labels[:, self._slot]

    def _compare(self, step: Step, name: str, views: Views, labels: Tensor) -> Tensor:
        """Mean cross entropy over the known pixels of a batch."""
        if name not in self._features:  # not passed by the core: the weak view, or nothing to learn
            student: Any = step.model.student
            with self.student_pass(step, name):
                student(views.inputs, views.samples, mode="tensor")
        if name not in self._features:
            kind = type(last_decode_head(step.model.student)).__name__
            raise TypeError(
                f"{type(self).__name__}: {kind} has a projection `conv_seg` that it does not "
                "use. Take another decode head."
            )
        known = labels != IGNORE
        step.count("second/known", known.float().mean() * step.shares.get(name, 0.0))
        return masked_cross_entropy(
            self._logits(step, name, labels.shape[-2:]), labels, known.float(), known, "kept"
        )

    def _logits(self, step: Step, name: str, size: Any) -> Tensor:
        corners = last_decode_head(step.model.student).align_corners
        logits = self._second(step)(self._features[name])
        return F.interpolate(logits, size, mode="bilinear", align_corners=corners)

    def _second(self, step: Step) -> Any:
        return step.model.auxiliary[self.head]


def second_labels(views: Views) -> Tensor | None:
    """The external labels of a batch in the frame of its views, 255 where unknown.

    None where no sample has any.
    """
    if not any(FIELD in sample for sample in views.samples):
        return None
    size = views.inputs.shape[-2:]
    maps = []
    for sample in views.samples:
        if "homography_matrix" not in sample.metainfo or FIELD not in sample:
            raise ValueError(
                f"{sample.metainfo.get('img_path')}: no external labels, or no record of how its "
                "view lies in the image. Pack all samples of a branch with PackExternalLabels, in "
                "a view of WeakStrongViews"
            )
        labels = sample.get(FIELD).data.to(views.inputs.device).long()
        moved, inside = warp(labels, homography(sample), size)
        maps.append(moved[0].where(inside, IGNORE))
    return torch.stack(maps)
