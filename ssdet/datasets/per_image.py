"""Transforms of single images, for arrays that hold several."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose

from ..registry import TRANSFORMS
from .geometry_record import KEY, rule_of


@TRANSFORMS.register_module()
class PerImage(BaseTransform):
    """Runs photometric transforms on each image of a stack, with random numbers of its own.

    Sun and season differ between the two images of a pair; where things are does not. So geometry
    belongs outside, where it moves all images alike, and is refused in here.

    Args:
        transforms: Any that change `img` alone.
        channels: Of one image.
    """

    def __init__(self, transforms: Sequence[Any], channels: int = 3) -> None:
        # Not called `transforms`: a check that tries parts alone would give them all images.
        self.steps = Compose(transforms)
        self.channels = channels
        movers = [type(part).__name__ for part in _parts(self.steps) if rule_of(part) is not None]
        if movers:
            raise ValueError(
                f"PerImage: {movers[0]} moves pixels, and would move those of one image alone. "
                "Put it before or after PerImage"
            )

    def transform(self, results: dict) -> dict | None:
        """Change `img`."""
        stacked = results["img"]
        size, depth = stacked.shape[:2], stacked.shape[-1]
        if stacked.ndim != 3 or depth % self.channels:
            raise ValueError(
                f"PerImage: an array of shape {stacked.shape} does not hold images of "
                f"{self.channels} channels; load it with LoadImagePair"
            )
        changed = []
        for image in np.split(stacked, depth // self.channels, axis=2):
            after = self.steps({"img": np.ascontiguousarray(image), "img_shape": size})
            if after is None:
                return None
            if KEY in after or after["img"].shape[:2] != size:
                raise ValueError(
                    f"PerImage: {self.steps} moves pixels, and would move those of one image "
                    "alone. Put such a transform before or after PerImage"
                )
            changed.append(after["img"])
        results["img"] = np.concatenate(changed, axis=2)
        return results

    def __repr__(self) -> str:
        return f"PerImage({self.steps})"


def _parts(step: Any) -> Iterator[Any]:
    """A transform, and those inside of it."""
    yield step
    inner = getattr(step, "transforms", None) or []
    for part in inner if isinstance(inner, (list, tuple)) else [inner]:
        yield from _parts(part)
