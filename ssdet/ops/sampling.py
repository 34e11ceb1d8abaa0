"""What the operators share: precision, tables of pixels, and weighted sums of their rows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def full_precision(tensor: Tensor) -> Tensor:
    """Half precision is computed in float32; float32 and float64 stay as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def pixel_table(features: Tensor) -> Tensor:
    """(B, C, H, W) features as (B * H * W, C), one row for each pixel."""
    # A row must be one piece of memory: for a single image the reshaped view would not be.
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).contiguous()


def weighted_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sum over k of `weight[m, k] * table[index[m, k]]`, differentiable in table and weight."""
    return functional.embedding_bag(index, table, per_sample_weights=weight, mode="sum")


def scatter_rows(total: Tensor, rows: Tensor, index: Tensor, weight: Tensor) -> None:
    """The transpose of `weighted_rows`: add `weight[m, k] * rows[m]` to `total[index[m, k]]`.

    Sorting by target turns it into the same weighted sum, so it needs no atomic addition and its
    result does not depend on the number of threads.
    """
    target, order = index.flatten().sort()
    touched, counts = target.unique_consecutive(return_counts=True)
    total[touched] += functional.embedding_bag(
        order.div(index.shape[1], rounding_mode="floor"),
        rows,
        counts.cumsum(0) - counts,
        per_sample_weights=weight.flatten()[order],
        mode="sum",
    )
