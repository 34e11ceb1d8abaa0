"""How mmcv finds the stand-in for its compiled module; it imports nothing before it must."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

NAME = "mmcv._ext"
ORIGIN = "ssdet.ops"


class _LastResort(MetaPathFinder, Loader):
    """Asked when no other finder knows the module."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(NAME, self, origin=ORIGIN) if name == NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from .extension import PortableExtension

        return PortableExtension()

    def exec_module(self, module: ModuleType) -> None:
        """Its functions are in place."""


_finder = _LastResort()


def offer() -> None:
    """Let mmcv find the stand-in where it has no compiled module of its own."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def install() -> bool:
    """Do what `offer` does; True if mmcv uses the stand-in.

    Nothing is touched when mmcv has its compiled module. Calling it again changes nothing.
    """
    offer()
    spec = find_spec(NAME)
    return spec is not None and spec.origin == ORIGIN
