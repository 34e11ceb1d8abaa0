"""ssdet: semi-supervised detection and segmentation for MMDetection and MMSegmentation.

After `import ssdet` MMDetection is usable where mmcv has no compiled operators, and a config can
name every class and config of ssdet: `custom_imports=dict(imports=["ssdet"])` is all that it needs.
The import itself takes no time; see `openmmlab`.
"""

import importlib
from typing import Any

from . import openmmlab
from .openmmlab import register
from .version import __version__

__all__ = ["__version__", "label", "load", "register", "semi_supervise", "train"]

# Functions that are slow to import, so only on first use.
_LAZY = {
    "semi_supervise": "recipes.make",
    "train": "notebook",
    "load": "notebook",
    "label": "labeling.label",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


openmmlab.prepare()
