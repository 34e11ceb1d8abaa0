"""Ways to mix images and labels, as pure functions of tensors."""

from .cutmix import box_mask, paste, sample_box
from .patch_shuffle import sample_permutations, shuffle_patches, unshuffle_patches

__all__ = [
    "box_mask",
    "paste",
    "sample_box",
    "sample_permutations",
    "shuffle_patches",
    "unshuffle_patches",
]
