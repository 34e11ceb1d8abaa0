"""Changing the features that a network computes from an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd


def dropouts(network: nn.Module) -> list[nn.Module]:
    """The layers of a network that drop something in training."""
    return [m for m in network.modules() if isinstance(m, _DropoutNd) and m.p > 0]


@contextmanager
def active_dropout(network: nn.Module) -> Iterator[None]:
    """Within the context, dropout is active in a network that is otherwise in eval mode."""
    layers = dropouts(network)
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False


def map_levels(features: Any, change: Callable[[int, Tensor], Tensor]) -> Any:
    """The same structure of features (tuples, lists, dicts), with `change(level, map)` in it.

    The levels are those of the outermost tuple; a level may hold several tensors (a feature map
    and a class token).
    """
    if isinstance(features, Tensor):
        return change(0, features)
    named = isinstance(features, dict)
    levels = features.values() if named else features
    found = [_map(part, partial(change, level)) for level, part in enumerate(levels)]
    return dict(zip(features, found, strict=True)) if named else type(features)(found)


def _map(part: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(part, Tensor):
        return change(part)
    return type(part)(_map(each, change) for each in part)
