"""Style swap: labeled images look like unlabeled ones, and keep their labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...mixing.style import swap_amplitude, swap_statistics
from ...registry import HOOKS
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step, Views
from ...validation import check_choice, check_range
from ..step_hook import StepHook

Kind = Literal["fourier", "statistics"]
Shown = Literal["labeled", "strong"]


@HOOKS.register_module()
class StyleSwapHook(StepHook):
    """Give labeled images the colors and the lighting of unlabeled ones, by chance.

    For labeled and unlabeled images of different domains, as in clear weather and in fog. Nothing
    moves, so labels stay as they are. The burn-in is included, in which nothing else speaks of the
    unlabeled domain. "fourier" is FDA (Yang & Soatto, CVPR 2020): the amplitude of low
    frequencies. "statistics" gives each color channel the mean and deviation of the other image.
    Padding keeps its value and counts for nothing.

    Args:
        kind: "fourier" or "statistics".
        prob: Probability of each image.
        share: "fourier": frequencies up to this share of the shorter side. FDA has 0.01 to 0.09.
        views: "labeled" images get the style of unlabeled ones; "strong" views that of labeled
            ones.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), StyleSwapHook(kind="statistics", prob=1.0))
        >>> step.log["style_swap/share"]  # of the labeled images
        tensor(1.)
    """

    phase = Phase.MIX
    keeps_places = True

    def __init__(
        self,
        kind: Kind = "fourier",
        *,
        prob: float = 0.5,
        share: float = 0.02,
        views: Shown = "labeled",
    ) -> None:
        name = type(self).__name__
        check_choice(name, "kind", kind, Kind)
        check_choice(name, "views", views, Shown)
        check_range(name, "prob", prob)
        check_range(name, "share", share, 0, 0.5)
        self.kind, self.prob, self.share, self.views = kind, prob, share, views

    def before_teacher(self, step: Step) -> None:
        """Change the labeled images."""
        if self.views == "labeled" and step.sup is not None and step.weak is not None:
            step.sup.inputs = self._swapped(step, "sup", step.sup, step.weak)

    def before_student(self, step: Step) -> None:
        """Change the strong views."""
        if self.views == "strong" and step.sup is not None:
            for name, views in step.strong.items():
                views.inputs = self._swapped(step, name, views, step.sup)

    def _swapped(self, step: Step, name: str, views: Views, style: Views) -> Tensor:
        generator = step.generator(f"{type(self).__name__}.{name}")
        chosen = torch.rand(len(views.inputs), generator=generator) < self.prob
        partners = torch.randint(len(style.inputs), (len(views.inputs),), generator=generator)
        inputs = views.inputs.clone()
        for image in chosen.nonzero()[:, 0].tolist():
            own = _seen(views, image)
            other = _seen(style, int(partners[image]))
            inputs[image, :, : own.shape[-2], : own.shape[-1]] = self._changed(own, other)
        branches = 1 if self.views == "labeled" else len(step.strong)
        step.count("style_swap/share", chosen.float().mean() / branches)
        return inputs

    def _changed(self, own: Tensor, other: Tensor) -> Tensor:
        if self.kind == "statistics":
            return swap_statistics(own, other)
        if own.shape != other.shape:
            resized: Any = F.interpolate(other[None], own.shape[-2:], mode="bilinear")
            other = resized[0]
        return swap_amplitude(own, other, self.share)


def _seen(views: Views, image: int) -> Tensor:
    """An image without its padding."""
    inputs = views.inputs[image]
    height, width = views.samples[image].metainfo.get("img_shape", inputs.shape[-2:])[:2]
    return inputs[:, :height, :width]
