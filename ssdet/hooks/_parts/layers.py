"""Layers that hooks name."""

from __future__ import annotations

from typing import Any

from torch import nn


def check_layer(owner: Any, network: nn.Module, name: str) -> nn.Module:
    """The layer of a network by its name; a ValueError if there is none."""
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        head = getattr(network, "decode_head", network)
        there = ", ".join(f"decode_head.{key}" for key, _ in head.named_children())
        raise ValueError(
            f"{type(owner).__name__}: layer={name!r}: {error}. The decode head has {there}."
        ) from None
