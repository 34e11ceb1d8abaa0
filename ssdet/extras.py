"""Packages that only some uses need; `pip install 'ssdet[NAME]'` brings those of an extra."""

from __future__ import annotations

import importlib
import re
from importlib import metadata
from types import ModuleType

from .exits import UsageError
from .version import version_of


def load(module: str, extra: str) -> ModuleType:
    """Import a module of an extra; where it is missing, the error has the line to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not module.startswith(error.name or "?"):
            raise  # it is there, and lacks something itself
        raise UsageError(
            f"{module.partition('.')[0]} is not installed; it is part of the extra {extra!r}: "
            f"pip install 'ssdet[{extra}]'"
        ) from error


def extras() -> dict[str, dict[str, str | None]]:
    """Each extra for users: its distributions and their versions, None where one is missing."""
    found: dict[str, dict[str, str | None]] = {}
    for line in metadata.requires("ssdet") or ():
        match = re.match(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", line)
        if match and match[2] not in ("dev", "docs"):
            found.setdefault(match[2], {})[match[1]] = version_of(match[1])
    return found


def opencv() -> dict[str, str]:
    """The distributions of OpenCV that are installed; two of them overwrite each other's files."""
    names = [
        f"opencv-{kind}python{head}" for kind in ("", "contrib-") for head in ("", "-headless")
    ]
    return {name: version for name in names if (version := version_of(name))}
