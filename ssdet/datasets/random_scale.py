"""Random sizes relative to an image's own size."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import RandomResize

from ..registry import TRANSFORMS
from ..validation import check_pair


@TRANSFORMS.register_module()
class RandomScale(RandomResize):
    """Resizes an image to between 0.5 and 2 times its own size, its shape kept.

    As in UniMatch: the new long side is a whole number of pixels, each as likely. `RandomResize`
    takes multiples of one size for all images, which is another thing where sizes differ (ADE20K).

    Args:
        ratio_range: Smallest and largest multiple.
    """

    def __init__(self, ratio_range: Sequence[float] = (0.5, 2.0)) -> None:
        low, high = check_pair("RandomScale", "ratio_range", ratio_range, 1e-3, 1e3)
        super().__init__(scale=(1, 1), ratio_range=(low, high), keep_ratio=True)

    def transform(self, results: dict) -> dict:
        """Resize the image, its boxes and its label map."""
        long = max(results["img"].shape[:2])
        low, high = (max(1, int(long * ratio)) for ratio in self.ratio_range)
        side = int(np.random.randint(low, high + 1))
        results["scale"] = self.resize.scale = (side, side)
        resized: dict = self.resize(results)
        return resized

    def __repr__(self) -> str:
        return f"RandomScale(ratio_range={self.ratio_range})"
