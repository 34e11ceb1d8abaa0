"""ssdet: semi-supervised detection and segmentation for MMDetection and MMSegmentation.

Importing it makes MMDetection usable where mmcv has no compiled operators, and registers every
class of ssdet, so that `custom_imports=dict(imports=["ssdet"])` in a config is all that is needed.
"""

import multiprocessing
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from .version import __version__

__all__ = ["__version__", "register", "semi_supervise"]


def register() -> None:
    """Install what mmcv lacks, then register every class; importing ssdet does this."""
    from . import ops

    ops.install()  # before anything that imports mmcv.ops

    with redirect_stdout(StringIO()):  # MMDetection prints a note about an optional package
        import mmdet.datasets  # noqa: F401
        import mmseg.datasets  # noqa: F401

    from . import datasets, engine, evaluation, hooks, models, teacher_student  # noqa: F401
    from .renamed import install

    install()


def __getattr__(name: str) -> Any:
    if name == "semi_supervise":  # slow to import, so only on first use
        from .recipes.make import semi_supervise

        return semi_supervise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _is_the_command() -> bool:
    return Path(sys.argv[0]).stem == "ssdet" and multiprocessing.parent_process() is None


# It takes seconds. The `ssdet` command calls it when it has read its arguments, so that `--help`
# and typos get an answer at once.
if not _is_the_command():
    register()
