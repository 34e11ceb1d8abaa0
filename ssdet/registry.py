"""Where ssdet's classes are registered.

MMEngine's *root* registries are used on purpose: a config of scope `mmdet` or `mmseg` looks there
when its own registry does not know a name, so our hooks, models and datasets need no prefix.
"""

from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    RUNNERS,
    TASK_UTILS,
    TRANSFORMS,
)

__all__ = [
    "DATASETS",
    "DATA_SAMPLERS",
    "HOOKS",
    "LOOPS",
    "METRICS",
    "MODELS",
    "MODEL_WRAPPERS",
    "OPTIM_WRAPPERS",
    "OPTIM_WRAPPER_CONSTRUCTORS",
    "RUNNERS",
    "TASK_UTILS",
    "TRANSFORMS",
]
