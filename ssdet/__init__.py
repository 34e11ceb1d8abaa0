"""ssdet: semi-supervised detection and segmentation for MMDetection and MMSegmentation.

Importing it makes MMDetection usable where mmcv has no compiled operators, and registers every
class of ssdet, so that `custom_imports=dict(imports=["ssdet"])` in a config is all that is needed.
"""

from contextlib import redirect_stdout
from io import StringIO

from . import ops

ops.install()  # before anything that imports mmcv.ops

with redirect_stdout(StringIO()):  # MMDetection tells everybody about an optional package
    import mmdet.datasets  # noqa: F401
    import mmseg.datasets  # noqa: F401

from . import datasets, engine, hooks, teacher_student  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ["__version__", "datasets", "engine", "hooks", "ops", "teacher_student"]
