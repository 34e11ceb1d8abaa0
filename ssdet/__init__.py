"""ssdet: semi-supervised detection and segmentation for MMDetection and MMSegmentation.

After `import ssdet` MMDetection is usable where mmcv has no compiled operators, and a config can
name every class and config of ssdet: `custom_imports=dict(imports=["ssdet"])` is all that it needs.
The import itself takes no time; see `openmmlab`.
"""

from typing import Any

from . import openmmlab
from .openmmlab import register
from .version import __version__

__all__ = ["__version__", "register", "semi_supervise"]


def __getattr__(name: str) -> Any:
    if name == "semi_supervise":  # slow to import, so only on first use
        from .recipes.make import semi_supervise

        return semi_supervise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


openmmlab.prepare()
