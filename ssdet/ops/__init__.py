"""Portable stand-ins for mmcv's compiled operators.

`install()` gives MMDetection and MMSegmentation the compiled module they import, written in plain
PyTorch, on machines where mmcv was installed without it. It does nothing where mmcv has its own. An
operator belongs here if mmcv has it under the same name; our own functions belong elsewhere.
"""

from .extension import OperatorNotCompiledError, backends, install

__all__ = ["OperatorNotCompiledError", "backends", "install"]
