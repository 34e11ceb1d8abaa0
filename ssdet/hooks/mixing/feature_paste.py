"""Feature paste: features of labeled objects in the features of unlabeled images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from torch import Tensor

from ...mixing.feature_paste import paste_region
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.recording import changed_features
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.features import map_levels
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

PASTED = "pasted_features"  # in the target of an image: the labeled image, and its boxes


@HOOKS.register_module()
class FeaturePasteHook(StepHook):
    """Copy the features of labeled objects into those of strong views, and their boxes.

    Inspired by UpCycling (Hwang et al., ICCV 2023), where unlabeled images are known by their
    features alone. Objects of the labeled images of the step keep their place: the cells of every
    level that a box touches are exchanged, without a gradient into the labeled image. Pseudo boxes
    of which most is covered are removed. What lies around an object comes along as far as the
    receptive field reaches; that is the price of a paste behind the network.

    Args:
        prob: Probability of each unlabeled image.
        objects: Most objects that are pasted into one.
        covered: A pseudo box is removed if more than this share of it is covered.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), FeaturePasteHook(prob=1.0))
        >>> step.log["feature_paste/objects"] > 0
        tensor(True)
    """

    phase = Phase.LOSS  # behind all mixing of pictures, which do not show what is pasted
    needs = frozenset({"features"})

    def __init__(self, prob: float = 0.5, *, objects: int = 3, covered: float = 0.5) -> None:
        name = type(self).__name__
        check_range(name, "prob", prob)
        check_range(name, "objects", objects, 1, float("inf"))
        check_range(name, "covered", covered)
        self.prob, self.objects, self.covered = prob, objects, covered

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors, and detectors with masks."""
        student: Any = detector_only(self, model, "pastes objects").student
        if getattr(student, "with_mask", False):
            raise TypeError(
                f"{type(self).__name__}: pastes features and boxes, but a {type(student).__name__} "
                "learns masks, too. Use CopyPasteHook, or a detector of boxes"
            )
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Decide what is pasted, and change the targets."""
        if step.sup is None:
            return
        images = sum(len(targets) for targets in step.targets.values())
        for name, targets in step.targets.items():
            generator = step.generator(f"{type(self).__name__}.{name}")
            for sample in targets:
                chosen = float(torch.rand((), generator=generator)) < self.prob
                source = int(torch.randint(len(step.sup.samples), (), generator=generator))
                given = step.sup.samples[source].gt_instances
                order = torch.randperm(len(given), generator=generator).to(given.labels.device)
                order = order[_inside(get_box_tensor(given.bboxes)[order], sample.img_shape)]
                objects = PseudoBoxes.of(given[order[: self.objects]])
                if not (chosen and len(objects)):
                    continue
                corners = get_box_tensor(objects.bboxes)
                self._add(sample, objects, corners)
                sample.set_metainfo({PASTED: (source, corners)})
                step.count("feature_paste/objects", len(objects) / images)

    def _add(self, sample: Any, objects: PseudoBoxes, corners: Tensor) -> None:
        boxes = sample.gt_instances
        if len(boxes):
            hidden = bbox_overlaps(boxes.bboxes, corners, mode="iof").sum(1)
            boxes = boxes[hidden <= self.covered]
        annotated = PseudoBoxes(bboxes=corners, labels=objects.labels)
        sample.gt_instances = PseudoBoxes.cat([PseudoBoxes.of(boxes), annotated])

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Paste the features, within the student's pass on a strong view."""
        plan = [one.metainfo.get(PASTED) for one in step.targets.get(branch, [])]
        if "sup" not in step.features or not any(one is not None for one in plan):
            yield
            return
        views, labeled = step.strong[branch], step.features["sup"]
        height, width = views.inputs.shape[-2:]

        def change(features: Any) -> Any:
            def paste(level: int, maps: Tensor) -> Tensor:
                rows = [
                    own if one is None else paste_region(
                        own, labeled[level][one[0]].detach(), one[1], (height, width)
                    )
                    for own, one in zip(maps, plan, strict=True)
                ]  # fmt: skip
                return torch.stack(rows)

            return map_levels(features, paste)

        with changed_features(step.model.student, change):
            yield


def _inside(boxes: Tensor, shape: Any) -> Tensor:
    """Which boxes lie in a view of this shape."""
    height, width = shape[:2]
    return (boxes[:, 2] <= width) & (boxes[:, 3] <= height)
