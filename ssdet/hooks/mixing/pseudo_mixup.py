"""Mixup of pseudo-labeled images."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from torch import Tensor

from ...mixing.canvas import CanvasBox, mixup_places
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import homography
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step, Views
from ...validation import check_range
from .._parts.cached_images import (
    CachedImage,
    ImageCache,
    as_views,
    batch_views,
    compose,
    to_cache,
)
from .._parts.model_kind import detector_only
from ..step_hook import StepHook


@HOOKS.register_module()
class PseudoMixupHook(StepHook):
    """Blend an image of an earlier step into each strong view; the student learns both's boxes.

    Pseudo labels miss objects, and the student learns to miss them too; in a mixture an object
    that was missed is a weaker negative (MixPL, 2023). The other image is scaled to fit
    into the batch and both lie anywhere on their common canvas. Boxes keep their weights. Nothing
    is mixed before there are images of an earlier step (`mixup/skipped`).

    Args:
        cache: How many images of earlier steps are kept.
        share: Share of the own image in a pixel; the other one has the rest.
        flip: Probability that the other image is mirrored.
        extra: None: the mixture replaces the view, as in MixPL. A number: the view is kept, and
            the mixture is one more, `unsup_student_mixup`, with this share of its weight.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> model, hook = detector(), PseudoMixupHook(cache=4)
        >>> take_step(model, hook).log["mixup/skipped"]  # no image of an earlier step yet
        tensor(1.)
        >>> take_step(model, hook).log["mixup/skipped"]
        tensor(0.)
    """

    phase = Phase.MIX

    def __init__(
        self, *, cache: int = 8, share: float = 0.5, flip: float = 1.0, extra: float | None = None
    ) -> None:
        name = type(self).__name__
        check_range(name, "cache", cache, 1, float("inf"))
        check_range(name, "share", share)
        check_range(name, "flip", flip)
        if extra is not None:
            check_range(name, "extra", extra, 0, float("inf"))
        self.share, self.flip, self.extra = share, flip, extra
        self.cache = ImageCache(cache)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors."""
        super().on_attach(detector_only(self, model, "puts pseudo boxes together"))

    def before_student(self, step: Step) -> None:
        """Mix every strong view of the batch with cached images, then cache the new ones."""
        fresh: list[CachedImage] = []
        # Every process has as many images as the others, so that all mix or none does.
        mixing = len(self.cache) > 0
        for name in batch_views(step):
            own = to_cache(step.strong[name], step.targets[name])
            fresh += own
            if mixing:
                self._mix(step, name, own)
        step.count("mixup/skipped", float(not mixing))
        self.cache.add(fresh)

    def _mix(self, step: Step, name: str, own: list[CachedImage]) -> None:
        views = step.strong[name]
        mixed = [
            self._mixture(mine, other, sample, views)
            for mine, other, sample in zip(
                own, self.cache.draw(len(own)), step.targets[name], strict=True
            )
        ]
        images, samples = (list(part) for part in zip(*mixed, strict=True))
        boxes = sum(len(sample.gt_instances) for sample in samples)
        step.count("mixup/boxes", boxes / len(samples) / len(batch_views(step)))
        target = name if self.extra is None else f"{name}_mixup"
        if self.extra is not None:
            step.shares[target] = step.shares[name] * self.extra
        step.strong[target] = as_views(images, samples, pad_divisor(step.model))
        step.targets[target] = samples

    def _mixture(
        self, own: CachedImage, other: CachedImage, sample: DetDataSample, views: Views
    ) -> tuple[Tensor, DetDataSample]:
        limit = (views.inputs.shape[-2], views.inputs.shape[-1])
        mine, theirs, shape = mixup_places(own.shape, other.shape, limit, flip=self.flip)
        parts = [(own, mine, self.share), (other, theirs, 1 - self.share)]
        image, mixed = compose(parts, shape, views.inputs)
        # The own image is where it was, but for a shift.
        matrix = _shift(mine) @ homography(sample)
        known = {k: v for k, v in sample.metainfo.items() if k in ("img_id", "img_path")}
        mixed.set_metainfo({**known, "homography_matrix": matrix})
        return image, mixed

    def state_dict(self) -> dict[str, Any]:
        """The images of earlier steps."""
        return {"pictures": self.cache.state()} if len(self.cache) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the images of earlier steps."""
        self.cache.load(state["pictures"])


def pad_divisor(model: TeacherStudent) -> int:
    """What the sides of a batch are a multiple of."""
    preprocessor: Any = model.data_preprocessor
    return int(getattr(preprocessor.inner, "pad_size_divisor", None) or 1)


def _shift(place: CanvasBox) -> np.ndarray:
    return np.array([[1.0, 0.0, place.x], [0.0, 1.0, place.y], [0.0, 0.0, 1.0]])
