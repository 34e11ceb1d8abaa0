"""Parameters of a backbone that nothing learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def freeze_unused(network: nn.Module, maps: Callable[[], Sequence[Tensor]]) -> None:
    """Freeze the parameters on which no map depends: processes would wait for their gradients.

    Args:
        network: Whose parameters they are.
        maps: Runs the network on any image; random numbers that it draws are given back.
    """
    with torch.random.fork_rng(devices=[]):
        outputs = maps()
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    total = torch.stack([one.sum() for one in outputs]).sum()
    found = torch.autograd.grad(total, learned, allow_unused=True)
    for parameter, gradient in zip(learned, found, strict=True):
        if gradient is None:
            parameter.requires_grad_(False)
