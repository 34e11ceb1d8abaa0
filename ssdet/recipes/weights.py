"""What a training starts from: a model trained on COCO, ImageNet features, a file, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exits import UsageError
from ..formats.options import option
from .models import Base
from .short_names import BASES

KINDS = ("auto", "coco", "imagenet", "none")


@dataclass(frozen=True)
class Start:
    """Weights to start from.

    Attributes:
        pretrained: The files that the base itself names are loaded.
        load_from: A checkpoint of the whole model; None: there is none.
        told: What the user has to know.
    """

    pretrained: bool
    load_from: str | None
    told: str


def choose_start(weights: str, base: Base) -> Start:
    """The start that `--weights` names.

    Args:
        weights: One of `KINDS`, or a file, an address, or a name such as `mmdet://NAME`. 'auto': a
            detector that was trained on COCO, where one is published for the base; else ImageNet.
        base: The supervised config.
    """
    coco = _trained_on_coco(base)
    if weights == "coco" and coco is None:
        raise UsageError(
            f"{option('weights', 'coco')}: no weights trained on COCO are known for {base.name!r}; "
            f"use {option('weights', 'imagenet')}, {option('weights', 'none')}, a file, or a name "
            f"such as mmdet://retinanet_r50_fpn_1x_coco"
        )
    if coco is not None and weights in ("auto", "coco"):
        name, place = coco
        told = f"starts from {name}, trained on COCO ({place}); the layers of its classes are new"
        return Start(True, name, told)
    if weights in ("auto", "imagenet"):
        named = list(dict.fromkeys(_named(base.model)))
        told = f"starts from {', '.join(named)}" if named else "starts from random weights"
        told += "".join(map(_to_install, named))
        if weights == "imagenet" and not named:
            raise UsageError(
                f"{option('weights', weights)}: the base {base.name!r} names no weights; use "
                f"{option('weights', 'none')}, or a file"
            )
        return Start(True, None, told)
    if weights == "none":
        return Start(False, None, "starts from random weights")
    if "://" not in weights and not Path(weights).expanduser().is_file():
        raise UsageError(
            f"{option('weights', weights)}: no such file in {Path.cwd()}; allowed: "
            f"{', '.join(KINDS)}, a file, an address, or a name such as mmdet://NAME"
        )
    return Start(True, weights, f"starts from {weights}; layers that do not fit are new")


def _trained_on_coco(base: Base) -> tuple[str, str] | None:
    """(name, address) of the published model of the base, if it was trained on COCO."""
    from ..engine.weight_names import address

    package, _, path = BASES.get(base.name, base.name).partition("::")
    stem = Path(path).stem
    if package != "mmdet" or "coco" not in stem:
        return None
    name = f"mmdet://{stem}"
    try:
        return name, address(name)
    except UsageError:
        return None


def _to_install(name: str) -> str:
    """What has to be installed before a name of weights is of use."""
    from ..engine.weight_names import MissingPackageError, address

    try:
        address(name)
    except MissingPackageError:
        return ", which has to be installed first: pip install 'ssdet[weights]'"
    except UsageError:
        return ""  # the doctor and the training say what is wrong with a name
    return ""


def _named(node: Any) -> Iterator[str]:
    """Weights that a model names."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("checkpoint", "pretrained") and isinstance(value, str):
                yield value
            else:
                yield from _named(value)
    elif isinstance(node, (list, tuple)):
        for item in node:
            yield from _named(item)
