"""Data of a semi-supervised run: the demo set, unlabelled images, sampler, views, checks."""

from .digit_scenes import DigitScenes, DigitScenesSeg, LoadDigitScene
from .geometry_record import RecordGeometry
from .labeled import LabeledImages, LabeledMasks, LoadMask
from .labeled_unlabeled import BadImageError, LabeledUnlabeledDataset
from .photometric import ErasePatches, StrongPhotometric
from .sampler import LabeledUnlabeledSampler
from .scene_files import write_cityscapes, write_coco, write_voc
from .seeding import SeededIndex, derive_seed, seeded
from .unlabeled import UnlabeledImages
from .view_check import ViewCheckHook, ViewGeometryError, check_views
from .views import WeakStrongViews

__all__ = [
    "BadImageError",
    "DigitScenes",
    "DigitScenesSeg",
    "ErasePatches",
    "LabeledImages",
    "LabeledMasks",
    "LabeledUnlabeledDataset",
    "LabeledUnlabeledSampler",
    "LoadDigitScene",
    "LoadMask",
    "RecordGeometry",
    "SeededIndex",
    "StrongPhotometric",
    "UnlabeledImages",
    "ViewCheckHook",
    "ViewGeometryError",
    "WeakStrongViews",
    "check_views",
    "derive_seed",
    "seeded",
    "write_cityscapes",
    "write_coco",
    "write_voc",
]
