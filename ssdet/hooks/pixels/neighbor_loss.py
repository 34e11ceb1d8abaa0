"""Labels that spread from annotated pixels to their neighbors of the same color."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...losses.neighbors import neighbor_energy
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step, Views
from ...validation import check_range
from .._parts.model_kind import logits_only
from ..step_hook import StepHook


@HOOKS.register_module()
class NeighborLossHook(StepHook):
    """Ask the student for one class where neighboring pixels look alike, in the labeled views.

    For label maps in which most pixels are unlabeled (255), such as scribbles: what is annotated
    spreads to the edges of the picture. It is the energy of a gated CRF (Obukhov et al., 2019); the
    settings and the normalization are ours. `sup_loss_neighbors` is the mean probability that two
    pixels at most `radius` apart are of different classes, where a pair weighs
    exp(-d^2 / (2 distance^2) - c / (2 color^2)) by its distance d and its squared difference of
    colors c.

    Args:
        weight: Factor on the loss.
        radius: Of the window, in pixels of the compared map.
        distance: See above, in the same pixels.
        color: See above, in levels of 0 ... 255. Noise and texture should lie below, edges above.
        stride: The view is compared at 1/stride of its size. 1 sees the thinnest objects; time
            and memory fall with its square.
        start: First iteration with this loss.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), NeighborLossHook(radius=2, stride=1))
        >>> bool(0 < step.losses["sup_loss_neighbors"] < 1)
        True
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs"})

    def __init__(
        self,
        weight: float = 1.0,
        *,
        radius: int = 5,
        distance: float = 6.0,
        color: float = 20.0,
        stride: int = 4,
        start: int = 0,
    ) -> None:
        name, most = type(self).__name__, float("inf")
        for key, value in dict(weight=weight, start=start).items():
            check_range(name, key, value, 0, most)
        for key, number in dict(radius=radius, stride=stride).items():
            if not (isinstance(number, int) and number >= 1):
                raise ValueError(f"{name}: {key}={number!r} is not a whole number of pixels")
        for key, value in dict(distance=distance, color=color).items():
            check_range(name, key, value, 1e-3, most)
        self.weight, self.radius, self.distance = weight, radius, distance
        self.color, self.stride, self.start = color, stride, start

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without logits of pixels."""
        super().on_attach(logits_only(self, model, "compares neighboring pixels"))

    def after_loss(self, step: Step) -> None:
        """Add the loss of the labeled views."""
        if step.sup is None or "sup" not in step.outputs or step.iteration < self.start:
            return
        loss = self._energy(step.model, step.sup, step.outputs["sup"])
        step.losses["sup_loss_neighbors"] = self.weight * loss

    def _energy(self, model: Any, views: Views, logits: Tensor) -> Tensor:
        size = [max(side // self.stride, 1) for side in views.inputs.shape[-2:]]
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        images = F.interpolate(_colors(model, views.inputs), size, mode="area")
        valid = F.interpolate(_shown(views)[:, None].float(), size, mode="nearest")[:, 0] > 0
        return neighbor_energy(
            model.probabilities(logits), images, valid,
            radius=self.radius, distance=self.distance, color=self.color,
        )  # fmt: skip


def _colors(model: Any, inputs: Tensor) -> Tensor:
    """The views in levels of 0 ... 255, but for a constant."""
    std = getattr(model.data_preprocessor.inner, "std", None)
    return inputs.float() if std is None else inputs.float() * std.to(inputs)


def _shown(views: Views) -> Tensor:
    """Which pixels (B, H, W) are no padding of the preprocessor."""
    shown = torch.zeros_like(views.inputs[:, 0], dtype=torch.bool)
    for number, sample in enumerate(views.samples):
        height, width = sample.img_shape[:2]
        shown[number, :height, :width] = True
    return shown
