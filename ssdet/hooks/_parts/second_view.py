"""A second weak view: the teacher also labels the turned or resized image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ...mixing import ORIENTATIONS, Orientation, orient, orient_back, orientation_matrix
from ...teacher_student.geometry import project_boxes
from ...teacher_student.step import Views
from ...validation import check_choice, check_range

DIVISOR = 32  # what views of another size are padded to


class SecondView:
    """Turns and resizes views as the model gets them, and maps the predictions back.

    Args:
        orientation: Flip or quarter turn. Not one that changes the class of objects (digits).
        scale: Factor on height and width.
    """

    def __init__(self, orientation: Orientation = "hflip", *, scale: float = 1.0) -> None:
        check_choice("second_view", "orientation", orientation, ORIENTATIONS)
        check_range("second_view", "scale", scale, 0.1, 10)
        if orientation == "identity" and scale == 1.0:
            raise ValueError(
                "second_view: flip=False and scale=1.0 give the teacher the same view again; set "
                "flip=True, a scale such as 0.8, or both"
            )
        self.orientation: Orientation = orientation
        self.scale = scale

    @classmethod
    def of(cls, owner: str, settings: Mapping[str, Any]) -> SecondView:
        """From the settings of a hook."""
        unknown = sorted(set(settings) - {"flip", "scale"})
        if unknown:
            raise ValueError(f"{owner}: second_view has {unknown}; it takes flip and scale")
        flip = settings.get("flip", True)
        return cls("hflip" if flip else "identity", scale=settings.get("scale", 1.0))

    def views(self, views: Views) -> Views:
        """The second views; what the batch padded stays at the bottom and the right."""
        height, width = orient(views.inputs, self.orientation).shape[-2:]
        if self.scale != 1.0:
            height, width = (
                -(-round(side * self.scale) // DIVISOR) * DIVISOR for side in (height, width)
            )
        inputs = views.inputs.new_zeros(*views.inputs.shape[:2], height, width)
        samples = []
        for own, image, sample in zip(inputs, views.inputs, views.samples, strict=True):
            h, w = shape_of(sample, views)
            seen = orient(_resized(image[:, :h, :w], self._size(h, w)), self.orientation)
            shape = tuple(seen.shape[-2:])
            own[:, : shape[0], : shape[1]] = seen
            padded = {"pad_shape": (height, width), "batch_input_shape": (height, width)}
            # Without the annotations of the first view, which lie elsewhere in this one.
            samples.append(type(sample)(metainfo={**sample.metainfo, "img_shape": shape, **padded}))
        return Views(inputs, samples)

    def boxes_back(self, boxes: Tensor, shape: tuple[int, int]) -> Tensor:
        """Boxes (N, 4) of a second view in the frame of the first one, which has this shape."""
        size = self._size(*shape)
        back = np.linalg.inv(orientation_matrix(self.orientation, *size))
        factors = boxes.new_tensor(shape[::-1] * 2) / boxes.new_tensor(size[::-1] * 2)
        return project_boxes(boxes, back) * factors

    def masks_back(self, masks: Tensor, shape: tuple[int, int]) -> Tensor:
        """Masks (N, H', W') of a second view in the frame of the first one, of this shape."""
        turned = orient_back(masks, self.orientation)
        if turned.shape[-2:] == shape:
            return turned
        if not len(turned):
            return turned.new_zeros(0, *shape)
        return F.interpolate(turned[None].float(), shape, mode="nearest-exact")[0].to(masks.dtype)

    def maps_back(self, maps: Tensor, views: Views) -> Tensor:
        """Maps (B, C, H', W') of second views in the frame of the first ones; 0 in the padding."""
        result = maps.new_zeros(*maps.shape[:2], *views.inputs.shape[-2:])
        for own, other, sample in zip(result, maps, views.samples, strict=True):
            h, w = shape_of(sample, views)
            height, width = orient(own[:, :h, :w], self.orientation).shape[-2:]
            height, width = self._size(height, width)
            seen = orient_back(other[:, :height, :width], self.orientation)
            own[:, :h, :w] = _resized(seen, (h, w))
        return result

    def _size(self, height: int, width: int) -> tuple[int, int]:
        return round(height * self.scale), round(width * self.scale)


def _resized(image: Tensor, shape: tuple[int, int]) -> Tensor:
    if image.shape[-2:] == shape:
        return image
    large = F.interpolate(image[None], shape, mode="bilinear", align_corners=False, antialias=True)
    return large[0]


def shape_of(sample: Any, views: Views) -> tuple[int, int]:
    """Height and width of the view of a sample, without the padding of the batch."""
    height, width = views.inputs.shape[-2:]
    own = sample.metainfo.get("img_shape", (height, width))
    return min(own[0], height), min(own[1], width)
