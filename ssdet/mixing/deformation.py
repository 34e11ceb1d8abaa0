"""Random deformations that can be applied to images and, with gradient, to predictions.

A grid (B, H, W, 2) holds for each pixel of the deformed image where in the original it comes from,
in the coordinates of `grid_sample`: -1 and 1 are the borders of the image, pixel centers lie half
a pixel inside.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def identity_grid(batch: int, shape: Sequence[int], device: torch.device | None = None) -> Tensor:
    """The grid that changes nothing."""
    matrix = torch.eye(2, 3, device=device).expand(batch, 2, 3)
    return F.affine_grid(matrix, [batch, 1, *shape], align_corners=False)


def affine_grid(angles: Tensor, scales: Tensor, shifts: Tensor, shape: Sequence[int]) -> Tensor:
    """Rotation about the center, enlargement, then a shift; one of each for each image.

    Args:
        angles: (B,) in degrees, counter-clockwise as one sees the image.
        scales: (B,), above 1 enlarges.
        shifts: (B, 2), right and down, as shares of width and height.
        shape: (height, width).
    """
    half = angles.new_tensor([shape[1] / 2, shape[0] / 2])
    radians = angles.deg2rad()
    cos, sin = radians.cos() / scales, radians.sin() / scales
    # From the deformed image back to the original, in pixels from the center (y points down).
    back = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    linear = back * half / half[:, None]
    offset = -(linear @ (2 * shifts)[..., None])
    matrix = torch.cat([linear, offset], dim=-1)
    return F.affine_grid(matrix, [len(angles), 1, *shape], align_corners=False)


def elastic_offsets(
    batch: int,
    shape: Sequence[int],
    strength: float,
    points: int = 5,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Smooth offsets (B, H, W, 2) to add to a grid.

    Each of points x points control points moves by up to `strength`, a share of the side, in both
    directions; between them the movement is interpolated bicubically.
    """
    moves = torch.rand(batch, 2, points, points, generator=generator, device=device) * 2 - 1
    fine = F.interpolate(moves * 2 * strength, tuple(shape), mode="bicubic", align_corners=True)
    return fine.movedim(1, -1)


def flip_grid(grid: Tensor, flipped: Tensor) -> Tensor:
    """The grid with those images (B,) mirrored left to right, before all else."""
    sign = torch.where(flipped, -1.0, 1.0).to(grid)[:, None, None]
    return torch.stack([grid[..., 0] * sign, grid[..., 1]], dim=-1)


def deform(maps: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (B, C, h, w) as the grid shows them, (B, C, H, W), and where it looks inside of them.

    Bilinear and differentiable; what lies outside is 0. A pixel that lies inside by less than half
    a pixel is mixed with that and does not count as inside.
    """
    height, width = maps.shape[-2:]
    limit = grid.new_tensor([1 - 1 / width, 1 - 1 / height]) + 1e-6
    inside = (grid.abs() <= limit).all(-1)
    return F.grid_sample(maps.float(), grid, mode="bilinear", align_corners=False), inside
