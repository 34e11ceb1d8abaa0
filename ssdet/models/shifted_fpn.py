"""A feature pyramid that can hand out its levels from one further down."""

from __future__ import annotations

from typing import Any

from mmdet.models.necks import FPN
from torch import Tensor

from ..registry import MODELS


@MODELS.register_module()
class ShiftedFPN(FPN):
    """FPN that leaves out its first level, or its last one for images of half the size.

    Level by level, both have maps of the same sizes (PseCo, ECCV 2022): `HalfViewHook`.

    Args:
        num_outs: Of all levels, one more than it gives.
        **fpn: As for FPN.
    """

    # The first level that it gives: 0 for images of half the size.
    start: int = 1

    def __init__(self, *, num_outs: int, **fpn: Any) -> None:
        super().__init__(num_outs=num_outs, **fpn)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """One level fewer than `num_outs`."""
        levels: tuple[Tensor, ...] = super().forward(inputs)
        return levels[self.start : self.start + len(levels) - 1]
