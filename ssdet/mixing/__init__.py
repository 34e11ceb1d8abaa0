"""Ways to mix images and labels, as pure functions of tensors."""

from .cutmix import box_mask, paste, sample_box
from .orientation import ORIENTATIONS, Orientation, orient, orient_back
from .patch_shuffle import sample_permutations, shuffle_patches, unshuffle_patches

__all__ = [
    "ORIENTATIONS",
    "Orientation",
    "box_mask",
    "orient",
    "orient_back",
    "paste",
    "sample_box",
    "sample_permutations",
    "shuffle_patches",
    "unshuffle_patches",
]
