"""Rows of the network that most segmentation recipes have: DeepLabV3+ on a ResNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import pixels
from ..table import Row

STEM = "the weights that MMEngine downloads have this stem"
FILES = "the authors' file is not for download by name; these are MMSegmentation's ImageNet weights"


def deeplab(sources: Mapping[str, str], *, depth: int, files: str, **settings: Any) -> list[Row]:
    """The rows of a network.

    Args:
        sources: Where `backbone`, `dilations` and `head` stand.
        depth, files: Of the ResNet, and its initial weights there.
        settings: `stride` 16, `last` dilations, `aspp`, `low` 48, `dropout` 0.
    """
    ours = f"open-mmlab://resnet{depth}_v1c"
    return [
        Row("layers of the ResNet", depth, pixels.depth, sources["backbone"]),
        Row("stem", "three of 3x3, 64, 64, 128", pixels.stem, sources["stem"],
            ours="three of 3x3, 32, 32, 64", why=STEM),
        Row("initial weights", files, pixels.initial, sources["files"], ours=ours, why=FILES),
        Row("output stride", settings.get("stride", 16), pixels.output_stride, sources["dilations"]),
        Row("dilations of the last stage", settings["last"], pixels.last_dilations,
            sources["dilations"]),
        Row("convolutions of the head", "plain", pixels.head, sources["head"]),
        Row("dilations of the ASPP", settings["aspp"], pixels.aspp, sources["aspp"]),
        Row("channels of the low level", settings.get("low", 48), pixels.low_level,
            sources["head"]),
    ]  # fmt: skip
