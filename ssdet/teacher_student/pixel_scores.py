"""Probabilities of pixels from what a segmentor gives."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_probabilities(output: Tensor, *, masks: bool = False) -> Tensor:
    """Probabilities (B, C, H, W) in float32 from logits; one channel becomes two.

    With `masks` the output is that of a head that matches queries to masks, and no logits: the
    class of a query times its mask, summed over the queries. The classes of a trained model share
    at most 1; those of an untrained one all exceed it.
    """
    output = output.float()
    if masks:
        return output / output.sum(1, keepdim=True).clamp(min=1.0)
    if output.shape[1] == 1:
        return torch.cat([(-output).sigmoid(), output.sigmoid()], dim=1)
    return output.softmax(1)
