"""Flips and quarter turns of batches of images or maps, and back."""

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

Orientation = Literal["identity", "hflip", "vflip", "rot90", "rot180", "rot270"]
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)
_TURNS: dict[str, int] = {"rot90": 1, "rot180": 2, "rot270": 3}


def orient(maps: Tensor, orientation: Orientation) -> Tensor:
    """The last two axes (H, W) flipped, or turned counter-clockwise."""
    if orientation == "identity":
        return maps
    if orientation in _TURNS:
        return torch.rot90(maps, _TURNS[orientation], (-2, -1))
    return maps.flip(-1 if orientation == "hflip" else -2)


def orient_back(maps: Tensor, orientation: Orientation) -> Tensor:
    """The inverse of `orient`."""
    if orientation in _TURNS:
        return torch.rot90(maps, -_TURNS[orientation], (-2, -1))
    return orient(maps, orientation)


def orientation_matrix(orientation: Orientation, height: int, width: int) -> np.ndarray:
    """The homography (3, 3) of `orient`: (x, y, 1) of an image of this size -> the result."""
    rows = {
        "identity": ((1, 0, 0), (0, 1, 0)),
        "hflip": ((-1, 0, width), (0, 1, 0)),
        "vflip": ((1, 0, 0), (0, -1, height)),
        "rot90": ((0, 1, 0), (-1, 0, width)),
        "rot180": ((-1, 0, width), (0, -1, height)),
        "rot270": ((0, -1, height), (1, 0, 0)),
    }
    return np.array([*rows[orientation], (0, 0, 1)], dtype=np.float64)
