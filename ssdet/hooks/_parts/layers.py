"""Layers that hooks name."""

from __future__ import annotations

from typing import Any

from torch import nn

from ...teacher_student.compiled import layer_for_hook


def check_layer(owner: Any, network: nn.Module, name: str) -> nn.Module:
    """The layer of a network by its name; a ValueError with names near it if there is none.

    One in a compiled part is refused, too.
    """
    try:
        return layer_for_hook(network, name)
    except AttributeError:
        raise ValueError(
            f"{type(owner).__name__}: layer={name!r}: the student has no such layer. Near it are "
            f"{', '.join(_near(network, name))}. Give a name of model.student.named_modules()."
        ) from None


def _near(network: nn.Module, name: str) -> list[str]:
    """What the network has at the place of a layer, or else layers of the same last name."""
    layers = dict(network.named_modules())
    parent, _, last = name.rpartition(".")
    while parent not in layers or not list(layers[parent].children()):
        parent = parent.rpartition(".")[0]
    alike = [own for own in layers if own.rpartition(".")[2] == last]
    if not parent and alike:
        return alike
    return [f"{parent}.{own}".lstrip(".") for own, _ in layers[parent].named_children()]
