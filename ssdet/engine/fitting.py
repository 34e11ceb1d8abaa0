"""Whether the weights of a checkpoint are those of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..exits import CheckpointError


def check_fit(given: Mapping[str, Any], wanted: Mapping[str, Any], path: str | Path) -> None:
    """Refuse weights that lack a tensor of the model, or have another shape; more of them are fine.

    Args:
        given: The weights, by their names in the model.
        wanted: The `state_dict` of the model.
        path: Where they are from.
    """
    wrong = [
        key
        for key, value in wanted.items()
        if key not in given or _shape(given[key]) != _shape(value)
    ]
    if wrong:
        key = wrong[0]
        found = _shape(given[key]) if key in given else "nothing"
        raise CheckpointError(
            f"checkpoint {path}: it does not fit the model of the config: {len(wrong)} of "
            f"{len(wanted)} tensors, first {key}: found {found}, allowed {_shape(wanted[key])}. "
            "Give the config of its run: config.py in the run folder"
        )


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None
