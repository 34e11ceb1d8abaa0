"""Occlusion of pseudo objects: holes where the objects are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ...mixing.erase import erased_share
from ...mixing.occlusion import hole_at, holes
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_choice, check_pair, check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

Fill = Literal["mean", "object"]


@HOOKS.register_module()
class OccludeHook(StepHook):
    """Cover parts of pseudo objects in the strong views.

    MultiAugs (2024) and SemiUHPE (CVPR 2024) do so to joints of people; here to boxes. Each object
    is covered by chance, by a square with its middle in the box. "mean" fills it with the mean
    color (joint cutout); "object" with a patch from the middle of a random object of another
    image of the batch (joint cut-occlude), which says: what is near an object need not belong to
    it. A box that is covered by `hidden` or more becomes a region to ignore.

    Args:
        prob: Probability of each object.
        size: Smallest and largest side, as a share of the root of the area of the box.
        fill: What covers it.
        hidden: See above.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), OccludeHook(prob=1.0))
        >>> step.log["occlude/holes"]  # in an image: one for each pseudo box
        tensor(5.)
    """

    phase = Phase.MIX
    keeps_places = True

    def __init__(
        self,
        prob: float = 0.5,
        *,
        size: Sequence[float] = (0.1, 0.3),
        fill: Fill = "mean",
        hidden: float = 0.7,
    ) -> None:
        name = type(self).__name__
        check_range(name, "prob", prob)
        check_choice(name, "fill", fill, Fill)
        check_range(name, "hidden", hidden)
        self.prob, self.fill, self.hidden = prob, fill, hidden
        self.size = check_pair(name, "size", size)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors."""
        super().on_attach(detector_only(self, model, "covers pseudo boxes"))

    def before_student(self, step: Step) -> None:
        """Cover objects in every strong view."""
        images = sum(len(views.inputs) for views in step.strong.values())
        for name, views in step.strong.items():
            generator = step.generator(f"{type(self).__name__}.{name}")
            objects = _objects(step, name)
            views.inputs = views.inputs.clone()
            for image, sample in enumerate(step.targets[name]):
                boxes, shape = sample.gt_instances, sample.img_shape[:2]
                found = holes(boxes.bboxes.cpu(), self.prob, self.size, shape, generator)
                others = [one for one in objects if one.image != image]
                mask = torch.zeros(views.inputs.shape[-2:], dtype=torch.bool)
                for x1, y1, x2, y2 in found:
                    mask[y1:y2, x1:x2] = True
                    hole = views.inputs[image, :, y1:y2, x1:x2]
                    hole.zero_()  # images are normalized: the mean color
                    if self.fill == "object" and others:
                        drawn = int(torch.randint(len(others), (), generator=generator))
                        patch = others[drawn].patch(x2 - x1, y2 - y1)
                        hole[:, : patch.shape[-2], : patch.shape[-1]] = patch
                covered = erased_share(boxes.bboxes, mask.to(boxes.bboxes.device)) >= self.hidden
                _ignore(sample, covered)
                step.count("occlude/holes", len(found) / images)
                step.count("occlude/ignored", covered.sum() / images)


@dataclass(frozen=True)
class _Object:
    """A pseudo object, and the picture that it is in, before anything was covered."""

    image: int
    picture: Tensor
    middle: tuple[float, float]

    def patch(self, width: int, height: int) -> Tensor:
        """The surroundings of its middle."""
        x1, y1, x2, y2 = hole_at(self.middle, (width, height), self.picture.shape[-2:])
        return self.picture[:, y1:y2, x1:x2]


def _objects(step: Step, name: str) -> list[_Object]:
    found = []
    for image, sample in enumerate(step.targets[name]):
        height, width = sample.img_shape[:2]
        picture = step.strong[name].inputs[image, :, :height, :width]
        for x1, y1, x2, y2 in sample.gt_instances.bboxes.tolist():
            found.append(_Object(image, picture, ((x1 + x2) / 2, (y1 + y2) / 2)))
    return found


def _ignore(sample: Any, chosen: Tensor) -> None:
    """Boxes of a target become regions to ignore."""
    boxes = sample.gt_instances
    regions = torch.cat([sample.ignored_instances.bboxes, boxes.bboxes[chosen]])
    sample.gt_instances = boxes[~chosen]
    sample.ignored_instances = InstanceData(bboxes=regions)
