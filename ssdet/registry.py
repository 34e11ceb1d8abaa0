"""Where ssdet's classes are registered.

MMEngine's *root* registries are used on purpose: a config of scope `mmdet` or `mmseg` looks there
when its own registry does not know a name, so our hooks, models and datasets need no prefix.
"""

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPERS,
    RUNNERS,
    TRANSFORMS,
)

# `ssdet::...` names our configs wherever `mmdet::...` names MMDetection's; `mmseg::...` is found
# whichever distribution (mmsegmentation, onedl-mmsegmentation) has brought the package.
MODULE2PACKAGE.update(ssdet="ssdet", mmseg="mmseg")

__all__ = [
    "DATASETS",
    "DATA_SAMPLERS",
    "HOOKS",
    "LOOPS",
    "METRICS",
    "MODELS",
    "MODEL_WRAPPERS",
    "OPTIM_WRAPPERS",
    "RUNNERS",
    "TRANSFORMS",
]
