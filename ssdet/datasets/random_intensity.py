"""A few changes of intensity, each of a random strength: the strong view of AugSeg."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from ..registry import TRANSFORMS
from ..validation import check_range

Operation = Literal[
    "identity", "autocontrast", "equalize", "blur", "contrast", "brightness", "color",
    "sharpness", "posterize", "solarize", "hue", "invert",
]  # fmt: skip
AUGSEG = tuple(name for name in get_args(Operation) if name != "invert")


@TRANSFORMS.register_module()
class RandomIntensity(BaseTransform):
    """Up to `max_ops` changes of intensity, drawn with replacement; no pixel moves.

    AugSeg (Zhao et al., CVPR 2023): no strength is tuned, each is drawn anew. Contrast, brightness,
    color and sharpness get a factor of 0.05 to 0.95, so they are only ever reduced; a blur has a
    deviation of 0.1 to 2 pixels; 4 to 7 bits are left; values from 1 to 255 on are inverted
    (solarize); a hue turns by up to half a circle. Takes BGR images, gives 8 bits.

    Args:
        max_ops: Most operations; their number is drawn from 1 to this.
        operations: What is drawn from; `None`: the 11 of AugSeg. iMAS has "invert" as well.
        random_number: Draw the number; else it is always `max_ops`.
    """

    def __init__(
        self,
        max_ops: int = 3,
        *,
        operations: Sequence[Operation] | None = None,
        random_number: bool = True,
    ) -> None:
        name = type(self).__name__
        check_range(name, "max_ops", max_ops, 1, float("inf"))
        given = tuple(AUGSEG if operations is None else operations)
        unknown = [one for one in given if one not in _CHANGES]
        if unknown or not given:
            raise ValueError(f"{name}: operations={list(given)!r}: take some of {list(_CHANGES)}")
        self.max_ops, self.operations, self.random_number = max_ops, given, random_number

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change `img`."""
        image = results["img"]
        if image.dtype != np.uint8:
            image = image.clip(0, 255).astype(np.uint8)
        count = np.random.randint(1, self.max_ops + 1) if self.random_number else self.max_ops
        picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
        for number in np.random.randint(len(self.operations), size=count):
            picture = _CHANGES[self.operations[number]](picture, float(np.random.random()))
        results["img"] = np.ascontiguousarray(np.asarray(picture)[..., ::-1])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_ops={self.max_ops}, operations={self.operations})"


def _blur(image: Image.Image, drawn: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.1 + 1.9 * drawn))


def _weaker(kind: Callable[[Image.Image], Any]) -> Callable[[Image.Image, float], Image.Image]:
    """A factor in (0.05, 0.95] on what an enhancer controls."""
    return lambda image, drawn: kind(image).enhance(0.95 - 0.9 * drawn)


def _posterize(image: Image.Image, drawn: float) -> Image.Image:
    return ImageOps.posterize(image, 8 - max(1, math.ceil(4 * drawn)))


def _solarize(image: Image.Image, drawn: float) -> Image.Image:
    return ImageOps.solarize(image, 256 - max(1, math.ceil(255 * drawn)))


def _hue(image: Image.Image, drawn: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.asarray(hue).astype(np.int16) + round((drawn - 0.5) * 255)) % 256
    channels = Image.fromarray(turned.astype(np.uint8)), saturation, value
    return Image.merge("HSV", channels).convert("RGB")


_CHANGES: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "identity": lambda image, _: image,
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "blur": _blur,
    "contrast": _weaker(ImageEnhance.Contrast),
    "brightness": _weaker(ImageEnhance.Brightness),
    "color": _weaker(ImageEnhance.Color),
    "sharpness": _weaker(ImageEnhance.Sharpness),
    "posterize": _posterize,
    "solarize": _solarize,
    "hue": _hue,
    "invert": lambda image, _: ImageOps.invert(image),
}
