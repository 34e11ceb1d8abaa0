"""Data of a semi-supervised run: the demo set, unlabelled images, sampler, views, checks."""

from .digit_scenes import DigitScenes, DigitScenesSeg, LoadDigitScene
from .labeled_unlabeled import BadImageError, LabeledUnlabeledDataset
from .sampler import LabeledUnlabeledSampler
from .seeding import SeededIndex, derive_seed, seeded

__all__ = [
    "BadImageError",
    "DigitScenes",
    "DigitScenesSeg",
    "LabeledUnlabeledDataset",
    "LabeledUnlabeledSampler",
    "LoadDigitScene",
    "SeededIndex",
    "derive_seed",
    "seeded",
]
