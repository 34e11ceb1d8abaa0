"""Data of a training: labeled and unlabeled sources, the sampler, weak and strong views, splits.

Data sets, transforms and samplers that MMEngine builds belong here, with what they check of each
sample while they load it, and the check of views that every training runs before it starts. Not
here: how files of other tools are read (`ssdet.formats`), other checks before a training
(`ssdet.doctor`), and the mixing of whole batches (`ssdet.hooks.mixing`).
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exports import *


def __getattr__(name: str) -> Any:
    """A name of `exports`, which imports torch: lists of images and splits need no torch."""
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is None:  # no module of ours
        from . import exports

        if name in exports.__all__:
            return getattr(exports, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
