"""Data of a training: labeled and unlabeled sources, the sampler, weak and strong views, splits.

Data sets, transforms and samplers that MMEngine builds belong here, with what they check of each
sample while they load it, and the check of views that every training runs before it starts. Not
here: how files of other tools are read (`ssdet.formats`), other checks before a training
(`ssdet.doctor`), and the mixing of whole batches (`ssdet.hooks.mixing`).
"""

from .demo.digit_pairs import DigitScenePairs, LoadDigitPair
from .demo.digit_scenes import DigitScenes, DigitScenesSeg, LoadDigitScene
from .demo.scene_files import write_cityscapes, write_coco, write_voc
from .external_labels import DigitExternalLabels, LoadExternalLabels, PackExternalLabels
from .geometry_record import RecordGeometry
from .image_pairs import ImagePairs, LoadImagePair
from .labeled import LabeledImages, LabeledMasks, LoadMask
from .labeled_unlabeled import BadImageError, LabeledUnlabeledDataset
from .per_image import PerImage
from .photometric import ErasePatches, StrongPhotometric
from .sampler import LabeledUnlabeledSampler
from .seeding import SeededIndex, derive_seed, seeded
from .unlabeled import UnlabeledImages
from .view_check import ViewCheckHook, ViewGeometryError, check_views
from .views import WeakStrongViews

__all__ = [
    "BadImageError",
    "DigitExternalLabels",
    "DigitScenePairs",
    "DigitScenes",
    "DigitScenesSeg",
    "ErasePatches",
    "ImagePairs",
    "LabeledImages",
    "LabeledMasks",
    "LabeledUnlabeledDataset",
    "LabeledUnlabeledSampler",
    "LoadDigitPair",
    "LoadDigitScene",
    "LoadExternalLabels",
    "LoadImagePair",
    "LoadMask",
    "PackExternalLabels",
    "PerImage",
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
