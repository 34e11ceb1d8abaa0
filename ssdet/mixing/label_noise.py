"""Label maps that are wrong on purpose, for a network that learns to repair them."""

import torch
from torch import Tensor


def swap_labels(
    labels: Tensor, prob: float, block: int = 1, generator: torch.Generator | None = None
) -> Tensor:
    """Label maps (B, H, W) in which blocks of `block` pixels have changed places.

    Each block takes part with probability `prob`; those that do are shuffled among each other
    within their map, so its histogram stays. Rows and columns beyond the last whole block stay.
    """
    height, width = (side // block * block for side in labels.shape[-2:])
    swapped = labels.clone()
    inner = labels[:, :height, :width].unflatten(2, (-1, block)).unflatten(1, (-1, block))
    # (B, rows, block, columns, block) -> (B, blocks, block, block)
    rows, columns = inner.shape[1], inner.shape[3]
    blocks = inner.transpose(2, 3).flatten(1, 2).clone()
    for own in blocks:
        draw = torch.rand(len(own), generator=generator, device=labels.device)
        chosen = (draw < prob).nonzero()[:, 0]
        order = torch.randperm(len(chosen), generator=generator, device=labels.device)
        own[chosen] = own[chosen[order]]
    inner = blocks.unflatten(1, (rows, columns)).transpose(2, 3)
    swapped[:, :height, :width] = inner.flatten(3, 4).flatten(1, 2)
    return swapped


def clipped_noise(
    values: Tensor, sigma: float, limit: float, generator: torch.Generator | None = None
) -> Tensor:
    """The values plus N(0, sigma^2), cut at +-limit."""
    noise = torch.randn(values.shape, generator=generator, device=values.device)
    return values + (noise * sigma).clamp(-limit, limit).to(values.dtype)
