"""Whether labeled and unlabeled images look alike: the mean colors of both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...teacher_student.step import Step, Views

MIN_IMAGES = 8  # of each kind


class ImageStatistics:
    """Running moments of the mean color of labeled and of unlabeled images.

    Views are compared as the models see them. Color changes of a view move single images, which
    widens the spread that the distance is measured in.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}  # (3, C): images, sum, sum of squares, for each channel

    def add(self, step: Step) -> None:
        """Add the images of a step."""
        for name, views in (("labeled", step.sup), ("unlabeled", step.weak)):
            if views is not None:
                values = _mean_colors(views)
                new = torch.stack([torch.ones_like(values), values, values**2]).sum(1)
                self.sums[name] = self.sums[name].to(new) + new if name in self.sums else new

    def distance(self) -> float | None:
        """Largest distance of the means over the channels, in standard deviations of an image."""
        if len(self.sums) < 2:
            return None
        moments = []
        for sums in self.sums.values():
            count, total, squares = sums.double().cpu()
            if count[0] < MIN_IMAGES:
                return None
            mean = total / count
            moments.append((mean, (squares / count - mean**2).clamp(min=0)))
        (first, spread), (second, other) = moments
        deviation = ((spread + other) / 2).sqrt().clamp(min=1e-3)
        return float(((first - second).abs() / deviation).max())

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {name: sums.cpu() for name, sums in self.sums.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.sums = dict(state)


def _mean_colors(views: Views) -> Tensor:
    """Mean (B, C) of each image, without its padding."""
    means = []
    for image, sample in zip(views.inputs, views.samples, strict=True):
        height, width = sample.metainfo.get("img_shape", image.shape[-2:])[:2]
        means.append(image[:, :height, :width].float().mean((1, 2)))
    return torch.stack(means)
