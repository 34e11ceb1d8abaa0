"""A second weak view: the teacher is asked again, about the mirrored or resized image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..teacher_student.schedules import check_range
from ..teacher_student.step import Views

DIVISOR = 32  # what views of another size are padded to


class SecondView:
    """Mirrors and resizes views as the model gets them, and brings back what it says of them.

    Args:
        flip: Mirror left and right. Not for images in which a side means something (digits).
        scale: Factor on height and width.
    """

    def __init__(self, *, flip: bool = True, scale: float = 1.0) -> None:
        check_range("second_view", "scale", scale, 0.1, 10)
        if not flip and scale == 1.0:
            raise ValueError(
                "second_view: flip=False and scale=1.0 show the teacher the same view again; set "
                "flip=True, a scale such as 0.8, or both"
            )
        self.flip, self.scale = flip, scale

    @classmethod
    def of(cls, owner: str, settings: Mapping[str, Any]) -> SecondView:
        """From the settings of a hook."""
        unknown = sorted(set(settings) - {"flip", "scale"})
        if unknown:
            raise ValueError(f"{owner}: second_view has {unknown}; it takes flip and scale")
        return cls(**settings)

    def views(self, views: Views) -> Views:
        """The second views; what the batch padded stays at the bottom and the right."""
        height, width = views.inputs.shape[-2:]
        if self.scale != 1.0:
            height, width = (
                -(-round(side * self.scale) // DIVISOR) * DIVISOR for side in (height, width)
            )
        inputs = views.inputs.new_zeros(*views.inputs.shape[:2], height, width)
        samples = []
        for own, image, sample in zip(inputs, views.inputs, views.samples, strict=True):
            h, w = shape_of(sample, views)
            shape = (round(h * self.scale), round(w * self.scale))
            own[:, : shape[0], : shape[1]] = self._seen(image[:, :h, :w], shape)
            padded = {"pad_shape": (height, width), "batch_input_shape": (height, width)}
            # Without the annotations of the first view, which lie elsewhere in this one.
            samples.append(type(sample)(metainfo={**sample.metainfo, "img_shape": shape, **padded}))
        return Views(inputs, samples)

    def boxes_back(self, boxes: Tensor, shape: tuple[int, int]) -> Tensor:
        """Boxes (N, 4) of a second view in the frame of the first one, which has this shape."""
        height, width = shape
        factors = boxes.new_tensor([width, height] * 2) / boxes.new_tensor(
            [round(width * self.scale), round(height * self.scale)] * 2
        )
        boxes = boxes * factors
        if not self.flip:
            return boxes
        x1, y1, x2, y2 = boxes.unbind(-1)
        return torch.stack([width - x2, y1, width - x1, y2], dim=-1)

    def maps_back(self, maps: Tensor, views: Views) -> Tensor:
        """Maps (B, C, H', W') of second views in the frame of the first ones; 0 in the padding."""
        result = maps.new_zeros(*maps.shape[:2], *views.inputs.shape[-2:])
        for own, other, sample in zip(result, maps, views.samples, strict=True):
            h, w = shape_of(sample, views)
            seen = other[:, : round(h * self.scale), : round(w * self.scale)]
            own[:, :h, :w] = self._seen(seen, (h, w))
        return result

    def _seen(self, image: Tensor, shape: tuple[int, int]) -> Tensor:
        if image.shape[-2:] != shape:
            image = F.interpolate(
                image[None], shape, mode="bilinear", align_corners=False, antialias=True
            )[0]
        return image.flip(-1) if self.flip else image


def shape_of(sample: Any, views: Views) -> tuple[int, int]:
    """Height and width of the view of a sample, without what the batch padded."""
    height, width = views.inputs.shape[-2:]
    own = sample.metainfo.get("img_shape", (height, width))
    return min(own[0], height), min(own[1], width)
