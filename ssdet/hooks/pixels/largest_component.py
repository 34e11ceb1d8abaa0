"""One object per class: the largest connected part of its pseudo label."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook

_NEIGHBORS = np.ones((3, 3), dtype=int)  # diagonal ones too, as in BCP


@HOOKS.register_module()
class LargestComponentHook(StepHook):
    """Keep the largest connected component of each class of the pseudo labels (BCP, SS-Net).

    All other pixels of the class become background; without `min_area` no class vanishes. This
    fits organs, of which an image shows one. Where images show several objects of a class
    (streets, rooms, digits), objects are lost. It runs on the CPU.

    Args:
        background: The class that is not cleaned, and that the removed pixels get.
        min_area: Components of fewer pixels are removed even if they are the largest.

    Examples:
        >>> from ssdet.testing import pixel_step
        >>> step = pixel_step([[0.9, 0.9, 0.9, 0.9, 0.9]], labels=[[1, 1, 0, 0, 1]])
        >>> LargestComponentHook(background=0).after_teacher(step)
        >>> step.pseudo.labels  # the single pixel on the right is background now
        tensor([[[1, 1, 0, 0, 0]]])
    """

    phase = Phase.LABEL

    def __init__(self, background: int = 0, *, min_area: int = 0) -> None:
        for key, value in dict(background=background, min_area=min_area).items():
            check_range(type(self).__name__, key, value, 0, float("inf"))
        self.background, self.min_area = background, min_area

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors: boxes have no components."""
        model = segmentor_only(self, model, "cleans the labels of pixels")
        if self.background >= model.num_classes:
            raise ValueError(
                f"{type(self).__name__}: background={self.background}, but the model has "
                f"{model.num_classes} classes, counted from 0"
            )
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Clean the labels of each image."""
        pseudo: PixelLabels = step.pseudo_pixels
        labels = pseudo.labels.clone()
        for own, valid in zip(labels, pseudo.valid, strict=True):
            own[self._removed(own, valid)] = self.background
        changed = labels != pseudo.labels
        step.count("components/removed", changed.sum() / pseudo.valid.sum().clamp(min=1))
        pseudo.labels = labels

    def _removed(self, labels: Tensor, valid: Tensor) -> Tensor:
        """Valid pixels of a class that do not belong to its largest component."""
        shown, seen = labels.cpu().numpy(), valid.cpu().numpy()
        removed = np.zeros(shown.shape, dtype=bool)
        for label in np.unique(shown[seen]):
            if label != self.background:
                own = (shown == label) & seen
                removed |= own & ~largest(own, self.min_area)
        return torch.from_numpy(removed).to(labels.device)


def largest(mask: np.ndarray, min_area: int = 0) -> np.ndarray:
    """The largest component of a mask; of equal ones the first, empty if it is below `min_area`."""
    from scipy import ndimage  # slow to import, and few methods need it

    numbers, _ = ndimage.label(mask, structure=_NEIGHBORS)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    return (numbers == sizes.argmax()) & (sizes.max() >= max(min_area, 1))
