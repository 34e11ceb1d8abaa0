"""Learning the label maps that come with the samples, with a weight that fades."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ...labels import IGNORE
from ...teacher_student.geometry import homography, warp
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import annealed
from ...teacher_student.step import Step, Views
from ...validation import check_choice, check_range
from ..mixing.copy_paste import CopyPasteHook
from ..step_hook import StepHook

Learner = Literal["labeled", "weak", "strong"]
Mean = Literal["known", "all"]


class FadingLabelsHook(StepHook, ABC):
    """Base of the hooks that learn external label maps on labeled, weak and strong views.

    The maps of the weak view also serve the strong views, since they are transferred and mixed like
    pseudo labels. The loss is the weight times the mean of all available terms; those of
    unlabeled images begin after the burn-in. It is called `{prefix}_loss`, its terms and its
    weight are logged as `{prefix}/...`.

    Attributes:
        field: What a data sample calls the maps.
        prefix: Of what is logged.
    """

    phase = Phase.LOSS
    field: str
    prefix: str

    def __init__(
        self,
        head: str,
        *,
        start: float,
        end: float,
        length: int | None,
        on: Sequence[Learner],
        mean: Mean,
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
        check_choice(name, "mean", mean, Mean)
        self.head, self.start, self.end, self.length = head, start, end, length
        self.on, self.mean = tuple(on), mean
        self.follows_length = length is None
        self._features: dict[str, Any] = {}
        self._weak: Tensor | None = None
        self._slots = slice(0)

    # ------------------------------------------------------------------ what a subclass says

    @abstractmethod
    def part(self, step: Step) -> nn.Module:
        """What learns the maps, in the model's `auxiliary`."""

    @abstractmethod
    def unlike(self, step: Step) -> str:
        """Labels of what annotations must not be pasted into; nothing where they fit."""

    @abstractmethod
    def term(self, step: Step, name: str, maps: Tensor) -> Tensor:
        """The loss on a view, whose features are there, with its maps (B, N, H, W)."""

    # ------------------------------------------------------------------ points of a step

    def before_train(self, runner: Any) -> None:
        """Let the weight fade over the whole training, unless a length was given."""
        super().before_train(runner)
        self.length = self.length or runner.max_iters

    def before_teacher(self, step: Step) -> None:
        """Clear the last step; annotations of other classes must not be mixed in."""
        self._features, self._weak = {}, None
        foreign = self.unlike(step)
        for hook in step.model.hooks if foreign else ():
            if getattr(hook, "source", None) == "labeled" or isinstance(hook, CopyPasteHook):
                raise ValueError(
                    f"{type(self).__name__}: {type(hook).__name__} pastes annotations of "
                    f"{step.model.num_classes} classes into labels of {foreign}. Paste between "
                    "unlabeled images (source='unlabeled', mode='unlabeled')."
                )

    def after_teacher(self, step: Step) -> None:
        """Attach the maps to the pseudo labels, for transfer and mixing."""
        self._weak = external_labels(step.weak_views, self.field)
        if self._weak is None:
            return
        pseudo = step.pseudo_pixels
        there = [] if pseudo.extra_labels is None else [pseudo.extra_labels]
        begin = sum(labels.shape[1] for labels in there)
        self._slots = slice(begin, begin + self._weak.shape[1])
        pseudo.extra_labels = torch.cat([*there, self._weak], dim=1)

    def after_loss(self, step: Step) -> None:
        """Add the loss of the external labels."""
        if self.length is None:
            raise ValueError(f"{type(self).__name__}: give length=...; there is no runner")
        weight = annealed(step.iteration, self.length, self.start, self.end)
        step.log[f"{self.prefix}/weight"] = weight
        # Connected to every parameter of the part in every step.
        loss = step.model.zero_loss(self.part(step))
        terms = self._terms(step) if weight > 0 else {}
        for name, term in terms.items():
            step.log[f"{self.prefix}/{name}"] = term.detach()
            loss = loss + weight / len(terms) * term
        step.losses[f"{self.prefix}_loss"] = loss
        self._features = {}

    def _terms(self, step: Step) -> dict[str, Tensor]:
        """The loss with the external labels, wherever there are any."""
        terms: dict[str, Tensor] = {}
        if "labeled" in self.on and step.sup is not None:
            maps = external_labels(step.sup, self.field)
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
        return extra_labels[:, self._slots]

    def _compare(self, step: Step, name: str, views: Views, maps: Tensor) -> Tensor:
        """The loss on a view, and how much of the unlabeled ones is known."""
        self.look(step, name, views)
        known = (maps != IGNORE).float().mean() * step.shares.get(name, 0.0)
        step.count(f"{self.prefix}/known", known)
        return self.term(step, name, maps)

    def look(self, step: Step, name: str, views: Views) -> None:
        """See to it that the features of a view are there.

        A view that the core did not pass (the weak one) is passed once for all hooks of this kind.
        """
        if name in self._features:
            return
        student: Any = step.model.student
        with ExitStack() as stack:
            for hook in step.model.hooks:
                if isinstance(hook, FadingLabelsHook):
                    stack.enter_context(hook.student_pass(step, name))
            student(views.inputs, views.samples, mode="tensor")

    def over(self, name: str, known: Tensor) -> Tensor:
        """The pixels that a mean counts: with "all", of unlabeled views unknown ones too."""
        return torch.ones_like(known) if self.mean == "all" and name != "sup" else known


def external_labels(views: Views, field: str) -> Tensor | None:
    """External label maps (B, N, H, W) of a batch in the frame of its views, 255 where unknown.

    None where no sample has any.
    """
    if not any(field in sample for sample in views.samples):
        return None
    size = views.inputs.shape[-2:]
    maps = []
    for sample in views.samples:
        if "homography_matrix" not in sample.metainfo or field not in sample:
            raise ValueError(
                f"{sample.metainfo.get('img_path')}: no external labels, or no record of how its "
                "view lies in the image. Pack all samples of a branch with PackExternalLabels, in "
                "a view of WeakStrongViews"
            )
        labels = sample.get(field).data.to(views.inputs.device).long()
        moved, inside = warp(labels, homography(sample), size)
        maps.append(moved.where(inside, IGNORE))
    return torch.stack(maps)
