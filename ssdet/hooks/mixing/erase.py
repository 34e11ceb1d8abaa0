"""Random erasing that drops the pseudo boxes it hides."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...mixing.erase import erased_share, sample_patches
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_pair, check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook


@HOOKS.register_module()
class EraseHook(StepHook):
    """Erase patches of the strong views, and drop the pseudo boxes that are hidden by them.

    Erasing in the pipeline happens before there are pseudo boxes: the student is then trained on
    objects that it cannot see. Here (as in MixPL, 2023) a box is dropped if at least `hidden` of
    its area is erased, pixels under several patches counted once. Take the erasing out of the
    pipeline of the strong view. Erased pixels get the mean color of the data set. All strong views
    of the step are erased, each with its own patches: list hooks that mix views after this one.

    Args:
        count: Fewest and most patches of an image.
        size: Smallest and largest side of a patch, as a share of the image's.
        hidden: A box is dropped if this share of it, or more, is erased; 1 keeps what is hidden in
            part.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), EraseHook(count=(4, 4), size=(0.2, 0.3)))
        >>> 0 < step.log["erase/area"] < 0.36
        tensor(True)
    """

    phase = Phase.MIX
    keeps_places = True

    def __init__(
        self,
        *,
        count: Sequence[int] = (1, 19),
        size: Sequence[float] = (0.0, 0.1),
        hidden: float = 0.7,
    ) -> None:
        name = type(self).__name__
        fewest, most = check_pair(name, "count", count, high=float("inf"))
        self.count = (int(fewest), int(most))
        self.size = check_pair(name, "size", size)
        check_range(name, "hidden", hidden)
        self.hidden = hidden

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors."""
        super().on_attach(detector_only(self, model, "drops pseudo boxes"))

    def before_student(self, step: Step) -> None:
        """Erase in every strong view."""
        images = sum(len(views.inputs) for views in step.strong.values())
        for name, views in step.strong.items():
            inputs = views.inputs.clone()
            for image, sample in zip(inputs, step.targets[name], strict=True):
                shape = sample.img_shape[:2]
                mask = self._mask(shape).to(inputs.device)
                image[:, : shape[0], : shape[1]].masked_fill_(mask, 0.0)
                boxes = sample.gt_instances
                seen = erased_share(boxes.bboxes, mask) < self.hidden
                sample.gt_instances = boxes[seen]
                step.count("erase/area", mask.float().mean() / images)
                step.count("erase/dropped", (~seen).sum() / images)
            views.inputs = inputs

    def _mask(self, shape: tuple[int, int]) -> Tensor:
        """True where something is erased."""
        mask = torch.zeros(shape, dtype=torch.bool)
        for x1, y1, x2, y2 in sample_patches(shape, self.count, self.size):
            mask[y1:y2, x1:x2] = True
        return mask
