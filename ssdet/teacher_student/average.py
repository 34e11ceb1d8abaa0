"""Moving averages of weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.no_grad()
def move(teacher: Mapping[str, Tensor], student: Mapping[str, Tensor], kept: float) -> None:
    """teacher <- kept * teacher + (1 - kept) * student by name, in few kernels; integers copied."""
    floats = [key for key, value in teacher.items() if value.is_floating_point()]
    groups: dict[tuple[torch.dtype, torch.device], list[str]] = {}
    for key in floats:
        groups.setdefault((teacher[key].dtype, teacher[key].device), []).append(key)
    for keys in groups.values():
        # A student in half precision is averaged in the precision of the teacher.
        values = [student[key].to(teacher[key].dtype) for key in keys]
        torch._foreach_lerp_([teacher[key] for key in keys], values, 1.0 - kept)
    for key, value in teacher.items():
        if not value.is_floating_point():
            value.copy_(student[key])
