"""ReCo: unsure pixels are compared with the region of their class and with pixels of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from ...labels import IGNORE
from ...losses.contrast import class_sums, info_nce
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import projects_pixels
from .._parts.student_views import passed_views, shown_labels
from ..step_hook import StepHook


@dataclass
class Pixels:
    """Known pixels of all views at the resolution of the features; N of them."""

    features: Tensor  # (N, D), with gradient
    labels: Tensor  # (N,)
    hard: Tensor  # (N,): whether the student is unsure of its label


@HOOKS.register_module()
class RegionContrastHook(StepHook):
    """Contrast unsure pixels with the mean feature of their class and with pixels of other classes.

    ReCo (Liu et al., ICLR 2022). Known pixels are the annotated ones, and those of the strong views
    with a pseudo label of a score of `weak` or more. Of each class, `queries` pixels to which the
    student gives less than `strong` are pulled to the mean of the class. What pushes them away are
    pixels of other classes, the more of a class the more similar its mean. `unsup_loss_region` is
    the mean over the classes that are there; one without unsure pixels counts as zero. Means and
    negatives do not learn. It needs no memory and no features of the teacher, and it works with
    incomplete labels (255 where unknown), too.

    Args:
        head: Name of the `PixelProjector` in the model's `auxiliary`.
        weight: Factor on the loss, beside the unsupervised weight.
        weak: Least score of a pseudo label that takes part.
        strong: Probability of its label from which the student is sure of a pixel.
        queries: Pixels of a class that learn in a step, drawn with replacement.
        negatives: Pixels of other classes that each of them is pushed from.
        temperature: By which cosines are divided, of pixels and of means.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> head = dict(type="PixelProjector", in_channels=8, channels=4)
        >>> step = take_step(segmentor(auxiliary=dict(representation=head)), RegionContrastHook())
        >>> bool(step.losses["unsup_loss_region"] > 0)
        True
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs", "pixel_features"})

    def __init__(
        self,
        *,
        head: str = "representation",
        weight: float = 1.0,
        weak: float = 0.7,
        strong: float = 0.97,
        queries: int = 256,
        negatives: int = 512,
        temperature: float = 0.5,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(queries=queries, negatives=negatives).items():
            check_range(name, key, value, 1, float("inf"))
        for key, score in dict(weak=weak, strong=strong).items():
            check_range(name, key, score)
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "temperature", temperature, 1e-3, float("inf"))
        self.head, self.weight, self.weak, self.strong = head, weight, weak, strong
        self.queries, self.negatives = int(queries), int(negatives)
        self.temperature = temperature

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or lacks the head."""
        super().on_attach(projects_pixels(self, model, self.head))

    def after_loss(self, step: Step) -> None:
        """Add the contrast of the pixels that the student saw, after the burn-in."""
        projector: Any = step.model.auxiliary[self.head]
        loss = step.model.zero_loss(projector)
        if step.iteration >= step.model.burn_in:
            names = [name for name in passed_views(step) if name in step.pixel_features]
            views = [self._pixels(step, projector, name) for name in names]
            if views:
                fields = zip(*(vars(view).values() for view in views), strict=True)
                pixels = Pixels(*(torch.cat(parts) for parts in fields))
                loss = loss + self._contrast(step, pixels)
        step.losses["unsup_loss_region"] = loss * self.weight * step.unsup_weight

    def _pixels(self, step: Step, projector: Any, name: str) -> Pixels:
        """Those of a view that are known."""
        maps = projector(step.pixel_features[name])
        labels = shown_labels(step, name)
        if name != "sup":
            labels = labels.where(step.targets[name].scores >= self.weak, IGNORE)
        size = maps.shape[-2:]
        labels = F.interpolate(labels[:, None].float(), size, mode="nearest").long()
        model: Any = step.model
        probable = model.probabilities(step.outputs[name].detach())
        probable = F.interpolate(probable, size, mode="bilinear")
        own = probable.gather(1, labels.where(labels != IGNORE, 0))
        known = labels[:, 0] != IGNORE
        features = maps.movedim(1, -1).float()[known]
        return Pixels(features, labels[:, 0][known], (own[:, 0] < self.strong)[known])

    def _contrast(self, step: Step, pixels: Pixels) -> Tensor:
        """Mean over the classes of this process of what their unsure pixels lose."""
        keys = pixels.features.detach()
        sums = class_sums(keys, F.one_hot(pixels.labels, step.model.num_classes).bool())
        all_reduce(sums)
        means = F.normalize(sums[:, :-1], dim=1)
        present = pixels.labels.unique()
        total = pixels.features.sum() * 0.0
        step.count("region_contrast/classes", len(present))
        if len(present) < 2:
            return total
        generator = step.generator(type(self).__name__)
        regions = [keys[pixels.labels == number] for number in present]
        for place, number in enumerate(present):
            (hard,) = (pixels.hard & (pixels.labels == number)).nonzero(as_tuple=True)
            if not len(hard):
                continue
            drawn = torch.randint(len(hard), (self.queries,), generator=generator)
            queries = pixels.features[hard[drawn.to(hard.device)]]
            near = means[present] @ means[number] / self.temperature
            near[place] = -torch.inf  # its own class is no negative
            negatives = self._negatives(regions, near.softmax(0), generator)
            total = total + info_nce(queries, means[number], negatives, self.temperature)
        return total / len(present)

    def _negatives(
        self, regions: list[Tensor], shares: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Keys (queries, negatives, D): a region by its share, and then any pixel of it."""
        shape = (self.queries, self.negatives)
        drawn = torch.multinomial(
            shares.cpu(), self.queries * self.negatives, replacement=True, generator=generator
        )
        sizes = torch.tensor([len(region) for region in regions])
        # Of a float below 1 times the size, rounding may give the size itself.
        within = (torch.rand(drawn.shape, generator=generator) * sizes[drawn]).long()
        places = within.minimum(sizes[drawn] - 1) + (sizes.cumsum(0) - sizes)[drawn]
        keys = torch.cat(regions)
        return keys[places.to(keys.device)].view(*shape, -1)
