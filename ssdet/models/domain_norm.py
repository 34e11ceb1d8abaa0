"""Normalization layers with statistics and parameters of their own for labeled images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import MODELS
from ..teacher_student.weights.boxes import Mixin


class DomainNorm(Mixin):
    """A norm layer with a twin, `labeled`, which is used within `labeled_domain`.

    AdaptOR (Srivastav et al., MedIA 2022) calls it disentangled normalization; with batch norm it
    is domain-specific batch norm (Chang et al., CVPR 2019). Outside of the context the layer is
    the plain one that a model without a twin would have: what it has learned is evaluated,
    exported, and loaded from a checkpoint of a plain model, which fills the twin, too.
    """

    labeled: nn.Module
    on_labeled = False

    def forward(self, features: Tensor) -> Tensor:
        """Normalize, in the current domain."""
        return self.labeled(features) if self.on_labeled else super().forward(features)

    @torch.no_grad()
    def split(self) -> None:
        """Make the twin equal to the plain layer."""
        own = self.state_dict()
        for key, value in self.labeled.state_dict().items():
            value.copy_(own[key])

    def _load_from_state_dict(self, state: Any, prefix: str, *args: Any) -> None:
        for key in self.labeled.state_dict():
            if prefix + key in state:
                state.setdefault(f"{prefix}labeled.{key}", state[prefix + key])
        super()._load_from_state_dict(state, prefix, *args)


@MODELS.register_module()
class DomainBN(DomainNorm, nn.BatchNorm2d):
    """Batch norm in two domains: `norm_cfg=dict(type='DomainBN')` of a backbone, neck or head."""

    _abbr_ = "bn"

    def __init__(self, num_features: int, **options: Any) -> None:
        super().__init__(num_features, **options)
        self.labeled = nn.BatchNorm2d(num_features, **options)


@MODELS.register_module()
class DomainGN(DomainNorm, nn.GroupNorm):
    """Group norm in two domains: `norm_cfg=dict(type='DomainGN', num_groups=32)`."""

    _abbr_ = "gn"

    def __init__(self, num_channels: int, num_groups: int = 32, **options: Any) -> None:
        super().__init__(num_groups, num_channels, **options)
        self.labeled = nn.GroupNorm(num_groups, num_channels, **options)


def domain_norms(network: nn.Module) -> list[DomainNorm]:
    """The layers of a network that have a twin."""
    return [module for module in network.modules() if isinstance(module, DomainNorm)]


@contextmanager
def labeled_domain(network: nn.Module) -> Iterator[None]:
    """Within the context, the network sees labeled images."""
    layers = domain_norms(network)
    for layer in layers:
        layer.on_labeled = True
    try:
        yield
    finally:
        for layer in layers:
            layer.on_labeled = False
