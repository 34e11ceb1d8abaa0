"""Low-rank updates of linear layers (LoRA, Hu et al., ICLR 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..exits import UsageError


class LoRALinear(nn.Module):
    """W x + b + (alpha / rank) B A x, in which A and B alone learn; B starts at 0.

    Args:
        base: The layer that is updated.
        rank: Rows of A.
        alpha: The update counts alpha / rank.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.down = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, inputs: Tensor) -> Tensor:
        """As the base, with the update."""
        update = nn.functional.linear(nn.functional.linear(inputs, self.down), self.up)
        return self.base(inputs) + self.scale * update  # type: ignore[no-any-return]

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The base with the update in its weights."""
        self.base.weight += self.scale * self.up @ self.down
        return self.base


def add_lora(
    network: nn.Module, layers: Sequence[str], *, rank: int = 8, alpha: float = 16.0
) -> None:
    """Give every linear layer with one of these names an update, in place."""
    found = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in layers
    ]
    if not found:
        linear = (n for n, module in network.named_modules() if isinstance(module, nn.Linear))
        names = sorted({name.rpartition(".")[2] for name in linear})
        raise UsageError(
            f"LoRA: no linear layer of a {type(network).__name__} is called "
            f"{' or '.join(layers)}; it has {', '.join(names) or 'none at all'}. Set lora_layers"
        )
    for name, module in found:
        owner, _, last = name.rpartition(".")
        setattr(network.get_submodule(owner), last, LoRALinear(module, rank, alpha))


def merge_lora(network: nn.Module) -> None:
    """Put all updates into the weights, in place: the layers are plain ones again."""
    for name, module in list(network.named_modules()):
        if isinstance(module, LoRALinear):
            owner, _, last = name.rpartition(".")
            setattr(network.get_submodule(owner), last, module.merged())
