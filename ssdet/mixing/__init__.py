"""Ways to mix images and labels, as pure functions of tensors.

Which pixels or boxes come from which image, and where they end up; no framework beyond torch is
imported. Not here: which images are mixed and how the losses count them (`ssdet.hooks.mixing`), and
transforms of a single image (`ssdet.datasets`).
"""

from .classmix import class_mask
from .copy_paste import Kind, box_pixels, patch_mask, region_of, restrict
from .cutmix import box_around, box_mask, paste, sample_box
from .orientation import ORIENTATIONS, Orientation, orient, orient_back, orientation_matrix
from .patch_shuffle import sample_permutations, shuffle_patches, unshuffle_patches
from .style import swap_amplitude, swap_statistics

__all__ = [
    "ORIENTATIONS",
    "Kind",
    "Orientation",
    "box_around",
    "box_mask",
    "box_pixels",
    "class_mask",
    "orient",
    "orient_back",
    "orientation_matrix",
    "paste",
    "patch_mask",
    "region_of",
    "restrict",
    "sample_box",
    "sample_permutations",
    "shuffle_patches",
    "swap_amplitude",
    "swap_statistics",
    "unshuffle_patches",
]
