"""U2PL: pixels that the teacher is unsure of still say which classes they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from ...labels import IGNORE
from ...losses.contrast import (
    annotated_negatives,
    class_sums,
    info_nce,
    unreliable_negatives,
)
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import TEACHER_ON, Phase
from ...teacher_student.schedules import annealed
from ...teacher_student.step import Step
from ...thresholds.entropy import certainty
from ...validation import check_range
from .._parts.feature_bank import FeatureBank
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook

STRONG = "unsup_student"


@dataclass
class Pixels:
    """Pixels of one branch at the resolution of the head; N of them."""

    student: Tensor  # features (N, D), with gradient
    teacher: Tensor  # the same of the teacher
    probabilities: Tensor  # the teacher's (N, C)
    own: Tensor  # (N, C): the class of its label, if the label is reliable
    negatives: Tensor  # (N, C): classes that it is an example against


@HOOKS.register_module()
class UnreliableContrastHook(StepHook):
    """Contrast features of pixels with a memory of what each class is not.

    U2PL (Wang et al., CVPR 2022). For each class, reliable pixels of it (annotated, or among the
    `share` with the lowest entropy) are pulled to the teacher's mean feature of the class, and
    pushed from negatives: pixels with another label for which the teacher still takes the class
    for likely, and unsure pixels (the `share` with the highest entropy) for which it is unlikely.
    Negatives of earlier steps are kept in a memory. `unsup_loss_contrast` is the mean over the
    classes that are there. Which pixels learn labels a `QuantileThresholdHook` with
    `measure="entropy"` decides.

    Features are those of a `PixelProjector` over what the last layer of the decode head
    classifies. The teacher sees the labeled and the mixed strong views, too: two more passes.

    Args:
        head: Name of the `PixelProjector` in the model's `auxiliary`, and in `auxiliary_teachers`.
        weight: Factor on the loss, beside the unsupervised weight.
        share, end, length: Share of pixels that counts as reliable, and as unsure; it moves from
            `share` to `end` over `length` iterations after the burn-in (0: it stays).
        anchors: Pixels of a class that learn in a step, drawn with replacement.
        negatives: Features that each of them is pushed from.
        temperature: By which cosines are divided.
        ranks: (low, high): the first `low` classes of an annotated pixel are likely; those at
            the places `low` to `high` - 1 of an unsure pixel are unlikely.
        positive: Least probability of its class that a pixel needs to learn.
        memory, background_memory: Features that are kept of each class, and of the first one.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> head = dict(type="PixelProjector", in_channels=8, channels=4)
        >>> model = segmentor(
        ...     auxiliary=dict(representation=head), auxiliary_teachers=["representation"])
        >>> step = take_step(model, UnreliableContrastHook(ranks=(1, 4)))
        >>> step.losses["unsup_loss_contrast"].item()  # the memory is empty in the first step
        0.0
    """

    phase = Phase.MEMORY
    needs = frozenset({"pixel_features", TEACHER_ON + "sup", TEACHER_ON + STRONG})
    needs_twin = True

    def __init__(
        self,
        *,
        head: str = "representation",
        weight: float = 0.1,
        share: float = 0.2,
        end: float = 0.0,
        length: int = 0,
        anchors: int = 256,
        negatives: int = 50,
        temperature: float = 0.5,
        ranks: tuple[int, int] = (3, 20),
        positive: float = 0.3,
        memory: int = 5000,
        background_memory: int = 10000,
    ) -> None:
        name = type(self).__name__
        counts = dict(
            anchors=anchors, negatives=negatives, memory=memory, background_memory=background_memory
        )
        for key, value in counts.items():
            check_range(name, key, value, 1, float("inf"))
        for key, part in dict(share=share, end=end, positive=positive).items():
            check_range(name, key, part)
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "length", length, 0, float("inf"))
        if temperature <= 0 or not 0 < ranks[0] < ranks[1]:
            raise ValueError(
                f"{name}: temperature={temperature!r}, ranks={ranks!r}: a temperature above 0, and "
                "two ranks with 0 < low < high"
            )
        self.head, self.weight = head, weight
        self.share, self.end, self.length = share, end, length
        self.anchors, self.negatives, self.temperature = anchors, negatives, temperature
        self.ranks, self.positive = tuple(ranks), positive
        self.bank = FeatureBank(name, memory, first=background_memory, per_step=anchors)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, lacks the head, or has too few classes."""
        name = type(self).__name__
        model = segmentor_only(self, model, "contrasts pixels")
        for kind in ("auxiliary", "auxiliary_teachers"):
            if self.head not in getattr(model, kind):
                raise ValueError(
                    f"{name}: {kind} of the model has no {self.head!r}. Set auxiliary=dict("
                    f"{self.head}=dict(type='PixelProjector', in_channels=...)) and "
                    f"auxiliary_teachers=[{self.head!r}]."
                )
        if self.ranks[0] >= model.num_classes:
            raise ValueError(
                f"{name}: ranks={self.ranks}: no class stands at the place {self.ranks[0]} of "
                f"{model.num_classes}, so there would be no unlikely one. Set ranks=(1, "
                f"{model.num_classes})."
            )
        super().on_attach(model)

    def after_loss(self, step: Step) -> None:
        """Add the contrast with the memory; then the negatives of this step enter it."""
        loss = step.model.zero_loss(step.model.auxiliary[self.head])
        branches = [self._labeled(step), self._unlabeled(step)] if step.targets else []
        parts = [one for one in branches if one is not None]
        if parts:
            generator = step.generator(type(self).__name__)
            loss = loss + self._contrast(step, parts, generator)
            features = torch.cat([one.teacher for one in parts])
            self.bank.push(features, torch.cat([one.negatives for one in parts]), generator)
            stored = sum(len(rows) for rows in self.bank.rows)
            step.count("contrast/stored", stored)
        step.losses["unsup_loss_contrast"] = loss * self.weight * step.unsup_weight

    def _contrast(self, step: Step, parts: list[Pixels], generator: torch.Generator) -> Tensor:
        """Mean over the classes that any process has of what their anchors lose."""
        own = torch.cat([one.own for one in parts])
        sums = class_sums(torch.cat([one.teacher for one in parts]), own)
        all_reduce(sums)
        counts = sums[:, -1]
        present = (counts > 0).nonzero()[:, 0].tolist()
        features = torch.cat([one.student for one in parts])
        probable = torch.cat([one.probabilities for one in parts]) > self.positive
        total = features.sum() * 0.0
        if len(present) < 2:
            return total
        used = 0
        for number in present:
            (places,) = (own[:, number] & probable[:, number]).nonzero(as_tuple=True)
            shape = (self.anchors, self.negatives)
            negatives = self.bank.draw(number, shape, generator) if len(places) else None
            if negatives is None:
                continue
            drawn = torch.randint(len(places), (self.anchors,), generator=generator)
            anchors = features[places[drawn.to(places.device)]]
            mean = sums[number, :-1] / counts[number]
            far = negatives.to(anchors.device)
            total = total + info_nce(anchors, mean, far, self.temperature)
            used += 1
        step.count("contrast/classes", used)
        return total / len(present)

    def _labeled(self, step: Step) -> Pixels | None:
        if step.sup is None or "sup" not in step.pixel_features:
            return None
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in step.sup.samples]).long()
        student, teacher, probabilities, (labels,) = self._flat(step, "sup", [labels])
        own = self._classes(labels, probabilities.shape[1])
        known = (labels != IGNORE)[:, None]
        negatives = annotated_negatives(probabilities, labels, self.ranks[0]) & known
        return Pixels(student, teacher, probabilities, own, negatives)

    def _unlabeled(self, step: Step) -> Pixels | None:
        if STRONG not in step.pixel_features or STRONG not in step.teacher_pixels:
            return None
        targets = step.targets[STRONG]
        maps = [targets.labels.where(targets.valid, IGNORE)]
        student, teacher, probabilities, (labels,) = self._flat(step, STRONG, maps)
        valid = labels != IGNORE
        doubt = 1 - certainty(probabilities)
        share = self._share(step)
        low, high = _quantiles(doubt[valid], share)
        own = self._classes(labels, probabilities.shape[1]) & (doubt <= low)[:, None]
        unsure = valid & (doubt >= high)
        negatives = unreliable_negatives(probabilities, unsure, *self.ranks)
        return Pixels(student, teacher, probabilities, own, negatives)

    def _share(self, step: Step) -> float:
        """The share of pixels that is reliable, and that is unsure, in this step."""
        if not self.length:
            return self.share
        return annealed(step.iteration - step.model.burn_in, self.length, self.share, self.end)

    def _flat(
        self, step: Step, branch: str, maps: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Features of student and teacher, the teacher's probabilities, and maps of labels."""
        model: Any = step.model
        given = step.pixel_features[branch]
        student = model.auxiliary[self.head](given)
        with torch.no_grad():
            teacher = model.auxiliary_teachers[self.head](step.teacher_pixels[branch])
            probabilities = model.probabilities(step.teacher_outputs[branch])
        size = student.shape[-2:]
        if probabilities.shape[-2:] != size:
            probabilities = F.interpolate(probabilities, size, mode="bilinear")
        small = [F.interpolate(one[:, None].float(), size, mode="nearest")[:, 0] for one in maps]
        flat = [one.movedim(1, -1).flatten(0, 2) for one in (student, teacher, probabilities)]
        return flat[0], flat[1], flat[2], [one.long().flatten() for one in small]

    @staticmethod
    def _classes(labels: Tensor, classes: int) -> Tensor:
        return torch.arange(classes, device=labels.device) == labels[:, None]

    def state_dict(self) -> dict[str, Any]:
        """The memory."""
        return self.bank.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the memory."""
        self.bank.load_state_dict(state)


def _quantiles(values: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The values below and above which a share of them lies; nothing qualifies of no values."""
    if not len(values):
        nothing = values.new_tensor(float("inf"))
        return -nothing, nothing
    values = values[:: max(1, len(values) // 2**20)]  # torch.quantile takes 16 million at most
    low, high = values.float().quantile(values.new_tensor([share, 1 - share]).float())
    return low, high
