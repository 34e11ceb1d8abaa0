"""What `import ssdet` changes in the packages of OpenMMLab, once they are imported.

Importing them takes seconds, so nothing here does. mmcv finds operators of ours where it has none,
`ssdet::...` names our configs, and our classes are registered when a registry is first asked.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import warnings
from multiprocessing import pool
from types import ModuleType
from typing import Any

from . import ops
from .imports import spare, when_imported

# What a module imports for a class that few trainings use: half of the time of `import mmdet`.
UNUSED = {
    "mmdet.datasets.transforms.generate_line": (
        "imgaug.augmenters", "imgaug.augmentables.lines", "imgaug.augmentables.segmaps",
        "scipy.interpolate",
    ),
    "mmdet.datasets.transforms.text_transformers": ("transformers",),
    "mmdet.datasets.transforms.transforms": ("imagecorruptions",),
    "mmdet.evaluation.metrics.crowdhuman_metric": ("scipy.sparse", "scipy.sparse.csgraph"),
    "mmdet.evaluation.metrics.culane_metric": ("scipy.interpolate", "scipy.optimize"),
    "mmdet.models.dense_heads.atss_vlfusion_head": ("transformers",),
    "mmdet.models.dense_heads.clr_head.clr_head": ("matplotlib.pyplot",),
    "mmdet.models.dense_heads.clr_head.lane": ("scipy.interpolate",),
    "mmdet.models.dense_heads.paa_head": ("sklearn.mixture",),
    "mmdet.models.language_models.bert": ("transformers",),
    "mmdet.models.task_modules.assigners.hungarian_assigner": ("scipy.optimize",),
    "mmdet.models.task_modules.assigners.topk_hungarian_assigner": ("scipy.optimize",),
    "mmdet.models.task_modules.tracking.aflink": ("scipy.optimize",),
    "mmdet.models.task_modules.tracking.interpolation": (
        "sklearn.gaussian_process", "sklearn.gaussian_process.kernels",
    ),
    "mmdet.models.task_modules.tracking.kalman_filter": ("scipy.linalg",),
    "mmdet.models.trackers.sort_tracker": ("scipy.optimize",),
    "mmdet.models.utils.vlfuse_helper": (
        "transformers", "transformers.modeling_utils", "transformers.models.bert.modeling_bert",
    ),
    "mmdet.utils.mot_error_visualize": (
        "matplotlib.colors", "matplotlib.patches", "matplotlib.pyplot",
    ),
    "mmdet.visualization.local_visualizer": ("matplotlib.colors", "matplotlib.pyplot"),
    "mmengine._strategy.fsdp": (
        "torch.distributed.fsdp", "torch.distributed.fsdp.fully_sharded_data_parallel",
    ),
    "mmengine.model.wrappers.fully_sharded_distributed": (
        "torch.distributed.fsdp.api", "torch.distributed.fsdp.fully_sharded_data_parallel",
    ),
    "mmengine.optim.optimizer.zero_optimizer": ("torch.distributed.optim",),
    "mmseg.datasets.transforms.transforms": ("scipy.ndimage",),
    "mmseg.models.assigners.hungarian_assigner": ("scipy.optimize",),
    "mmseg.models.backbones.beit": ("scipy.interpolate",),
    "mmseg.models.losses.huasdorff_distance_loss": ("scipy.ndimage",),
}  # fmt: skip


def prepare() -> None:
    """Wait for the packages of OpenMMLab; what is imported already is changed now."""
    ops.offer()
    # MMDetection says so whenever it is imported; it matters to `FasterCocoMetric` alone.
    warnings.filterwarnings("ignore", message="faster_coco_eval is not installed")
    when_imported("mmengine.logging.logger", _print_no_notes)
    for module, names in UNUSED.items():
        spare(module, names)
    when_imported("mmdet.evaluation.functional.mean_ap", _wait_for_pools)
    when_imported("mmengine.config.config", _name_our_configs)
    when_imported("mmengine.registry.registry", _register_when_asked)


def register() -> None:
    """Import and register every class now, rather than when a registry is first asked."""
    ops.offer()
    import mmdet.datasets  # noqa: F401
    import mmseg.datasets  # noqa: F401

    from . import engine, evaluation, hooks, models, teacher_student  # noqa: F401
    from .datasets import exports  # noqa: F401
    from .renamed import install
    from .report import live  # noqa: F401

    install()


def _print_no_notes(module: ModuleType) -> None:
    """Without a logger MMEngine prints at any level: two notes whenever MMDetection is imported.

    What is said at the level DEBUG is for a logger that asks for it.
    """
    plain = module.print_log

    @functools.wraps(plain)
    def print_log(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
        if logger is not None or level > logging.DEBUG:
            plain(msg, logger, level)

    module.print_log = print_log  # type: ignore[attr-defined]
    if package := sys.modules.get(module.__name__.rpartition(".")[0]):
        package.print_log = print_log  # type: ignore[attr-defined]


def _register_when_asked(module: ModuleType) -> None:
    registry = module.Registry
    plain = registry.get

    def get(self: Any, key: str) -> Any:
        registry.get = plain
        register()
        return plain(self, key)

    registry.get = get


def _wait_for_pools(module: ModuleType) -> None:
    """MMDetection's AP leaves its processes behind, to end when Python likes.

    What cleans up then waits for a lock that a process may still hold: rarely, an evaluation hangs.
    """

    class Waiting(pool.Pool):
        def close(self) -> None:
            super().close()
            self.join()

    module.Pool = Waiting  # type: ignore[attr-defined]


def _name_our_configs(module: ModuleType) -> None:
    config = module.Config
    find = config._get_cfg_path
    # `mmseg::...` is found whichever distribution has brought the package.
    known = importlib.import_module("mmengine.config.utils").MODULE2PACKAGE
    known.update(ssdet="ssdet", mmseg="mmseg")

    def find_with_scope(path: str, filename: str) -> tuple[str, str | None]:
        found, scope = find(path, filename)
        # In a scope called `ssdet` the names of MMDetection would be unknown.
        return found, None if scope == "ssdet" else scope

    config._get_cfg_path = staticmethod(find_with_scope)
