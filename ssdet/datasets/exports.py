"""Everything that `ssdet.datasets` offers; importing it registers what a config can name."""

from .bad_images import BadImageError, SampleError
from .change_maps import DigitChangeEvents, LoadChangeEvents, change_events
from .deep_images import LoadDeepImage
from .demo.digit_pairs import DigitScenePairs, LoadDigitPair
from .demo.digit_scenes import DigitScenes, DigitScenesSeg, LoadDigitScene
from .demo.digit_videos import DigitVideos
from .demo.imperfect_labels import ConfuseDigits, DigitDetections, HideDigits, ScribbleDigits
from .demo.scene_files import write_cityscapes, write_coco, write_voc
from .external_labels import DigitExternalLabels, LoadExternalLabels, PackExternalLabels
from .foggy import FoggyCityscapes
from .geometry_record import RecordGeometry
from .image_pairs import ImagePairs, LoadImagePair
from .labeled import LabeledImages, LabeledMasks, LoadMask
from .labeled_unlabeled import LabeledUnlabeledDataset
from .low_resolution import LowResolution
from .per_image import PerImage
from .photometric import ErasePatches, NoisePatch, StrongPhotometric
from .random_intensity import RandomIntensity
from .random_scale import RandomScale
from .sampler import LabeledUnlabeledSampler
from .seeding import SeededIndex, derive_seed, seeded
from .unlabeled import UnlabeledImages
from .view_check import ViewCheckHook, ViewGeometryError, check_views
from .views import WeakStrongViews

__all__ = [
    "BadImageError",
    "ConfuseDigits",
    "DigitChangeEvents",
    "DigitDetections",
    "DigitExternalLabels",
    "DigitScenePairs",
    "DigitScenes",
    "DigitScenesSeg",
    "DigitVideos",
    "ErasePatches",
    "FoggyCityscapes",
    "HideDigits",
    "ImagePairs",
    "LabeledImages",
    "LabeledMasks",
    "LabeledUnlabeledDataset",
    "LabeledUnlabeledSampler",
    "LoadChangeEvents",
    "LoadDeepImage",
    "LoadDigitPair",
    "LoadDigitScene",
    "LoadExternalLabels",
    "LoadImagePair",
    "LoadMask",
    "LowResolution",
    "NoisePatch",
    "PackExternalLabels",
    "PerImage",
    "RandomIntensity",
    "RandomScale",
    "RecordGeometry",
    "SampleError",
    "ScribbleDigits",
    "SeededIndex",
    "StrongPhotometric",
    "UnlabeledImages",
    "ViewCheckHook",
    "ViewGeometryError",
    "WeakStrongViews",
    "change_events",
    "check_views",
    "derive_seed",
    "seeded",
    "write_cityscapes",
    "write_coco",
    "write_voc",
]
