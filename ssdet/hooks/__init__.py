"""Mechanisms of the literature, one file each; a method is a list of them."""

from .cutmix import CutMixHook
from .gallery import GalleryHook
from .mean_teacher import TeacherEMAHook
from .patch_shuffle import PatchShuffleHook
from .polish import PolishHook
from .step_hook import StepHook
from .threshold import FixedThresholdHook
from .threshold_hook import ThresholdHook

__all__ = [
    "CutMixHook",
    "FixedThresholdHook",
    "GalleryHook",
    "PatchShuffleHook",
    "PolishHook",
    "StepHook",
    "TeacherEMAHook",
    "ThresholdHook",
]
