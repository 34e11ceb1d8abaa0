"""Boxes and pixel maps from the frame of one view into the frame of another.

A view's geometry is its homography H: (x, y, 1) of the original image -> the view, before padding
at the bottom and the right. From the weak to the strong view it is M = H_strong H_weak^-1.
Matrices are inverted in float64, under autocast too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

IDENTITY = np.eye(3)
CLOSE = 1e-4  # what two equal matrices may differ by


def homography(sample: Any) -> np.ndarray:
    """The recorded homography of a data sample's view; the identity where none was recorded."""
    matrix = sample.metainfo.get("homography_matrix")
    return IDENTITY if matrix is None else np.asarray(matrix, dtype=np.float64)


def between(source: Any, target: Any) -> np.ndarray:
    """Homography from the frame of the sample `source` into the frame of `target`."""
    start, end = homography(source), homography(target)
    return IDENTITY if np.array_equal(start, end) else end @ np.linalg.inv(start)


def in_one_frame(one: Any, other: Any, tolerance: float = CLOSE) -> bool:
    """Whether each pixel of a sample's view is the same pixel of the other's."""
    matrix = between(one, other)
    same = tuple(one.img_shape[:2]) == tuple(other.img_shape[:2])
    return same and np.allclose(matrix / matrix[2, 2], IDENTITY, atol=tolerance)


def project_boxes(boxes: Tensor, matrix: np.ndarray) -> Tensor:
    """Axis-aligned hull of each projected box: (N, 4) -> (N, 4), not clipped."""
    if len(boxes) == 0 or np.array_equal(matrix, IDENTITY):
        return boxes.clone()
    x1, y1, x2, y2 = boxes.double().unbind(-1)
    corners = torch.stack([x1, y1, x2, y1, x2, y2, x1, y2], dim=-1).view(-1, 4, 2)
    corners = F.pad(corners, (0, 1), value=1.0) @ boxes.new_tensor(matrix, dtype=torch.float64).T
    corners = corners[..., :2] / corners[..., 2:]
    return torch.cat([corners.amin(1), corners.amax(1)], dim=-1).to(boxes.dtype)


def clip_boxes(boxes: Tensor, shape: Sequence[int]) -> Tensor:
    """Boxes cut at the borders of an image of shape (height, width)."""
    height, width = shape[:2]
    limit = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limit)


def areas(boxes: Tensor) -> Tensor:
    """Area of each box."""
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1)


def warp(
    maps: Tensor, matrix: np.ndarray, shape: Sequence[int], mode: str = "nearest"
) -> tuple[Tensor, Tensor]:
    """Pixel maps (C, H, W) seen from another view, and where that view shows the image.

    Pixel centers lie at +0.5, as for boxes, so a flip of width w maps column c to w - 1 - c.
    Returns maps of the given (height, width) in the dtype that came in, and a bool mask.
    """
    height, width = shape[:2]
    if np.array_equal(matrix, IDENTITY) and tuple(maps.shape[-2:]) == (height, width):
        return maps, torch.ones(height, width, dtype=torch.bool, device=maps.device)
    inverse = torch.as_tensor(np.linalg.inv(matrix), dtype=torch.float64, device=maps.device)
    ys, xs = torch.meshgrid(
        torch.arange(height, dtype=torch.float64, device=maps.device) + 0.5,
        torch.arange(width, dtype=torch.float64, device=maps.device) + 0.5,
        indexing="ij",
    )
    source = torch.stack([xs, ys, torch.ones_like(xs)], dim=-1) @ inverse.T
    source = source[..., :2] / source[..., 2:]
    size = source.new_tensor([maps.shape[-1], maps.shape[-2]])
    inside = ((source >= 0) & (source < size)).all(-1)
    grid = (source / size * 2 - 1).to(torch.float32)
    # Labels are integers up to a few hundred: exact in float32, and nearest never mixes them.
    warped = F.grid_sample(
        maps[None].float(), grid[None], mode=mode, padding_mode="border", align_corners=False
    )[0]
    return warped.to(maps.dtype) * inside.to(maps.dtype), inside
