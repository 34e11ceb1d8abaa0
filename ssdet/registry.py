"""Where ssdet's classes are registered.

MMEngine's *root* registries are used on purpose: a config of scope `mmdet` or `mmseg` looks there
when its own registry does not know a name, so our hooks, models and datasets need no prefix.
"""

from mmengine.config import Config
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
    TASK_UTILS,
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
    "TASK_UTILS",
    "TRANSFORMS",
]

_find_config = Config._get_cfg_path


def _find_config_and_scope(path: str, filename: str) -> tuple[str, str | None]:
    """Without a scope for our configs: in one called `ssdet`, MMDetection's names are unknown."""
    found, scope = _find_config(path, filename)
    return found, None if scope == "ssdet" else scope


Config._get_cfg_path = staticmethod(_find_config_and_scope)
