"""Ways to mix images and labels, as pure functions of tensors."""

from .classmix import class_mask
from .copy_paste import Kind, box_pixels, patch_mask, region_of, restrict
from .cutmix import box_mask, paste, sample_box
from .orientation import ORIENTATIONS, Orientation, orient, orient_back, orientation_matrix
from .patch_shuffle import sample_permutations, shuffle_patches, unshuffle_patches

__all__ = [
    "ORIENTATIONS",
    "Kind",
    "Orientation",
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
    "unshuffle_patches",
]
