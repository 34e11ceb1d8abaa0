"""Orthogonality of the weights of a layer."""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonality(weight: Tensor, start: Tensor, steps: int = 2) -> tuple[Tensor, Tensor]:
    """The largest |eigenvalue| of W^T W - I, or of W W^T - I where that is smaller, and its vector.

    SRIP (Bansal et al., NeurIPS 2018) by power iteration from a vector; the matrix is never made.
    The value has a gradient, the vector (a start for the next time) has none.

    Args:
        weight: (out, ...), read as a matrix (out, in).
        start: (min(out, in),).
        steps: Of the power iteration; the gradient sees the last one.
    """
    matrix = weight.float().flatten(1)
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    vector = start.to(matrix)
    # Near an orthogonal matrix this is a small difference, which half precision rounds away.
    with torch.autocast(weight.device.type, enabled=False):
        with torch.no_grad():
            for _ in range(max(steps - 1, 0)):
                vector = _unit(_times(matrix, vector))
        found = _times(matrix, vector)
    value = found.norm() / vector.norm().clamp(min=1e-12)
    return value, _unit(found.detach())


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return matrix.T @ (matrix @ vector) - vector


def _unit(vector: Tensor) -> Tensor:
    """Of length 1; a vector of zeros (an orthonormal matrix) becomes an even one."""
    length = vector.norm()
    even = torch.full_like(vector, len(vector) ** -0.5)
    return torch.where(length > 1e-8, vector / length.clamp(min=1e-8), even)
