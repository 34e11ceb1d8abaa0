"""Portable stand-ins for mmcv's compiled operators.

`install()` gives MMDetection and MMSegmentation the compiled module they import, written in plain
PyTorch, on machines where mmcv was installed without it. It does nothing where mmcv has its own. An
operator belongs here if mmcv has it under the same name; our own functions belong elsewhere.
"""

from typing import TYPE_CHECKING, Any

from .finder import install, offer

if TYPE_CHECKING:
    from .extension import OperatorNotCompiledError, backends

__all__ = ["OperatorNotCompiledError", "backends", "install", "offer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import extension  # it imports torch, so only on first use

    return getattr(extension, name)
