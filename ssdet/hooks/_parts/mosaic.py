"""Pictures put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GAP = 4


def mosaic(pictures: Sequence[np.ndarray], columns: int = 4) -> np.ndarray:
    """Pictures (H, W, 3) in rows, each in a cell of the largest one's size, on gray."""
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    shape = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3
    whole = np.full(shape, 128, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return whole
