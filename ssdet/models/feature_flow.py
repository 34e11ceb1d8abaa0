"""A normalizing flow over features of pixels, and second normalizations of a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import build_norm_layer, is_norm
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from ..validation import check_range


@MODELS.register_module()
class FeatureFlow(BaseModule):
    """The density of features: Real-NVP (Dinh et al. 2017) into a Gaussian for each class.

    Each block permutes the channels, then changes each half by what a small network makes of the
    other one: y1 = x1 exp(s(x2)) + t(x2), y2 = x2 exp(s(y1)) + t(y1). The Gaussians have unit
    covariance and means that are learned.

    Args:
        dim: Channels of the features.
        num_classes: Of the segmentor.
        blocks: How many of them.
        hidden: Width of the small networks.
        clamp: Above which the logarithms of the factors are not to grow, softly.
    """

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        blocks: int = 2,
        hidden: int = 256,
        clamp: float = 2.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for key, value in dict(dim=dim, blocks=blocks, hidden=hidden).items():
            check_range(type(self).__name__, key, value, 2 if key == "dim" else 1, float("inf"))
        self.dim, self.num_classes = dim, num_classes
        self.blocks = nn.ModuleList(_Coupling(dim, hidden, clamp) for _ in range(blocks))
        self.means = nn.Parameter(torch.randn(num_classes, dim))

    def forward(self, features: Tensor) -> Tensor:
        """Log density (N, num_classes) of features (N, dim) under each class."""
        moved, volume = features, features.new_zeros(len(features))
        for block in self.blocks:
            moved, change = block(moved)
            volume = volume + change
        # |z - mean|^2 without the (N, num_classes, dim) differences
        distance = torch.cdist(moved, self.means).square()
        return volume[:, None] - 0.5 * distance - 0.5 * self.dim * math.log(2 * math.pi)


class _Coupling(nn.Module):
    """One block, and the logarithm of how much it stretches space at each point."""

    order: Tensor

    def __init__(self, dim: int, hidden: int, clamp: float) -> None:
        super().__init__()
        self.sizes, self.clamp = (dim // 2, dim - dim // 2), clamp
        self.register_buffer("order", torch.randperm(dim))
        first, second = self.sizes
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(given, hidden), nn.ReLU(), nn.Linear(hidden, 2 * changed))
            for given, changed in ((second, first), (first, second))
        )
        for layer in self.networks.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.05)
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        first, second = features[:, self.order].split(self.sizes, dim=1)
        first, grown = self._changed(first, self.networks[0](second))
        second, more = self._changed(second, self.networks[1](first))
        return torch.cat([first, second], dim=1), grown + more

    def _changed(self, half: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = made.chunk(2, dim=1)
        # atan reaches pi / 2, so the limit is `clamp`
        scale = self.clamp * (2 / math.pi) * (scale / self.clamp).atan()
        return half * scale.exp() + shift, scale.sum(1)


@MODELS.register_module()
class SecondNorms(BaseModule):
    """Normalizations that take the place of those of a layer, for features of another kind.

    Args:
        channels: Of each normalization of the layer, in their order.
        norm_cfg: As that of the layer.
    """

    def __init__(
        self,
        channels: Sequence[int],
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm = norm_cfg or {"type": "BN"}
        self.norms = nn.ModuleList(build_norm_layer(norm, count)[1] for count in channels)

    def state_for(self, layer: nn.Module) -> dict[str, Tensor]:
        """Their parameters and buffers under the names of those of a layer."""
        places = [name for name, part in layer.named_modules() if is_norm(part)]
        theirs = [layer.get_submodule(place).state_dict() for place in places]
        own = [norm.state_dict(keep_vars=True) for norm in self.norms]
        if [_shapes(one) for one in theirs] != [_shapes(one) for one in own]:
            sizes = [len(next(iter(one.values()))) for one in theirs if one]
            raise ValueError(
                f"{type(self).__name__}: does not fit the layer, which has normalizations of "
                f"{sizes} channels. Set channels={sizes} and the norm_cfg of the decode head."
            )
        return {
            f"{place}.{key}": value
            for place, one in zip(places, own, strict=True)
            for key, value in one.items()
        }


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state.items()}
