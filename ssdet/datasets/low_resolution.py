"""Images as a camera of fewer pixels shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..registry import TRANSFORMS
from ..validation import check_pair, check_range


@TRANSFORMS.register_module()
class LowResolution(BaseTransform):
    """Makes an image smaller by a random factor, and as large as before again; no pixel moves.

    AdaptOR (Srivastav et al., MedIA 2022) learns to find people in images of few pixels this way,
    as the strong view: by a factor of 1 to 12 for its operating rooms, of 1 to 4 elsewhere. There
    it is combined with other changes by chance, as MMCV's `RandomChoice` does in a config.

    Args:
        factor: Smallest and largest factor, drawn evenly.
        prob: Probability of a change.
    """

    def __init__(self, factor: Sequence[float] = (1.0, 4.0), *, prob: float = 1.0) -> None:
        name = type(self).__name__
        check_range(name, "prob", prob)
        self.factor, self.prob = check_pair(name, "factor", factor, 1, float("inf")), prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change `img`."""
        if np.random.random() >= self.prob:
            return results
        factor, image = np.random.uniform(*self.factor), results["img"]
        height, width = image.shape[:2]
        small = max(round(width / factor), 1), max(round(height / factor), 1)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        results["img"] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(factor={self.factor}, prob={self.prob})"
