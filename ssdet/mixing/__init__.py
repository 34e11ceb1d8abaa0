"""Ways to mix images and labels, as pure functions of tensors."""

from .cutmix import box_mask, paste, sample_box

__all__ = ["box_mask", "paste", "sample_box"]
