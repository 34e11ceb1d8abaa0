"""Mosaics of pseudo-labeled images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from ...mixing.canvas import mosaic_places
from ...registry import HOOKS
from ...teacher_student.core import STRONG, TeacherStudent
from ...teacher_student.geometry import areas
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_pair, check_range
from .._parts.cached_images import ImageCache, as_views, batch_views, compose, to_cache
from .._parts.model_kind import detector_only
from ..step_hook import StepHook
from .pseudo_mixup import PseudoMixupHook, pad_divisor

PIECES = 4
SMALL = 32**2  # COCO's limit of what is small, in pixels


@HOOKS.register_module()
class PseudoMosaicHook(StepHook):
    """Learn from one more strong view, mosaics of four images of earlier steps.

    Small objects are missed by the teacher more often than others. Four images, made smaller, are
    placed around one point: their objects, which were large enough to be found, are then small ones
    (MixPL, 2023). The range of `size` sets the balance of small and large objects, and
    `mosaic/small` is the share of boxes that are small (COCO: below 32x32 pixels). The view is
    called `unsup_student_mosaic`; there is none before four images are kept (`mosaic/skipped`).

    List it before a `PseudoMixupHook`, so that it keeps images and not their mixtures.

    Args:
        size: Smallest and largest side of the cells, in pixels; height and width are drawn apart,
            and images keep their proportions in them.
        images: Mosaics of each step.
        weight: Factor on `unsup_weight` for this view.
        flip: Probability that an image is mirrored.
        cache: How many images of earlier steps are kept, at least 4.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> model, hook = detector(), PseudoMosaicHook(size=(16, 32), cache=4)
        >>> steps = [take_step(model, hook) for _ in range(3)]  # four images are kept after two
        >>> [sorted(step.strong) for step in steps[1:]]
        [['unsup_student'], ['unsup_student', 'unsup_student_mosaic']]
    """

    phase = Phase.MIX
    view = f"{STRONG}_mosaic"

    def __init__(
        self,
        *,
        size: Sequence[int] = (400, 800),
        images: int = 1,
        weight: float = 0.5,
        flip: float = 1.0,
        cache: int = 8,
    ) -> None:
        name = type(self).__name__
        smallest, largest = check_pair(name, "size", size, 1, float("inf"))
        check_range(name, "images", images, 1, float("inf"))
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "flip", flip)
        check_range(name, "cache", cache, PIECES, float("inf"))
        self.size, self.images = (int(smallest), int(largest)), images
        self.weight, self.flip = weight, flip
        self.cache = ImageCache(cache)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors, and images that are mixed already."""
        detector_only(self, model, "puts pseudo boxes together")
        if any(isinstance(h, PseudoMixupHook) and h.extra is None for h in model.hooks):
            raise ValueError(
                f"{type(self).__name__}: a PseudoMixupHook is listed before it and would give it "
                "mixtures instead of images. List PseudoMosaicHook first in custom_hooks."
            )
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Add mosaics of the cached images, then cache the new ones."""
        fresh = [
            image
            for name in batch_views(step)
            for image in to_cache(step.strong[name], step.targets[name])
        ]
        # Every process has as many images as the others, so that all have the view or none has.
        step.count("mosaic/skipped", float(len(self.cache) < PIECES))
        if len(self.cache) >= PIECES:
            self._add_view(step)
        self.cache.add(fresh)

    def _add_view(self, step: Step) -> None:
        like = next(iter(step.strong.values())).inputs
        made = [self._mosaic(like) for _ in range(self.images)]
        images, samples = (list(part) for part in zip(*made, strict=True))
        step.strong[self.view] = as_views(images, samples, pad_divisor(step.model))
        step.targets[self.view] = samples
        step.shares[self.view] = self.weight
        boxes = torch.cat([sample.gt_instances.bboxes for sample in samples])
        step.count("mosaic/boxes", len(boxes) / len(samples))
        step.count("mosaic/small", (areas(boxes) < SMALL).sum() / max(len(boxes), 1))

    def _mosaic(self, like: Tensor) -> tuple[Tensor, DetDataSample]:
        height, width = torch.randint(self.size[0], self.size[1] + 1, (2,)).tolist()
        pieces = self.cache.draw(PIECES)
        places, shape = mosaic_places([p.shape for p in pieces], (height, width), flip=self.flip)
        parts = [(piece, place, 1.0) for piece, place in zip(pieces, places, strict=True)]
        return compose(parts, shape, like)

    def state_dict(self) -> dict[str, Any]:
        """The images of earlier steps."""
        return {"pictures": self.cache.state()} if len(self.cache) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the images of earlier steps."""
        self.cache.load(state["pictures"])
