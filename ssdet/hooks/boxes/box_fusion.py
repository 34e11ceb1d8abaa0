"""One set of pseudo boxes from several views of an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...mixing import ORIENTATIONS, Orientation
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step, Views
from ...thresholds import vote
from ...validation import check_choice, check_range
from .._parts.model_kind import detector_only
from .._parts.second_view import SecondView, shape_of
from ..step_hook import StepHook


@HOOKS.register_module()
class BoxFusionHook(StepHook):
    """The teacher sees each weak view in several orientations and sizes; its predictions are fused.

    Data Distillation (Radosavovic et al., CVPR 2018) with the voting of Weighted Boxes Fusion
    (Solovyev et al. 2021): boxes of one class that overlap become their mean, weighted by the
    scores, with the mean score of all views; a view without the box counts as 0, so scores are
    lower than those of one view. The objectness of a fused object, where hooks need it, is the mean
    of its boxes weighted by the scores; its mask is that of its highest-scoring view. Each
    orientation and each size costs the teacher one more pass.

    Args:
        views: identity, hflip, vflip, rot90, rot180, rot270, as far as objects look alike in them;
            "identity", the weak view as it is, comes first.
        scales: Factors on height and width of additional views, which are not turned.
        min_iou: Overlap above which two boxes of a class are one object.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), BoxFusionHook(views=["identity", "hflip"]))
        >>> step.log["fusion/found"] > 0, step.log["fusion/fused"] > 0
        (tensor(True), tensor(True))
        >>> BoxFusionHook(views=["hflip"])
        Traceback (most recent call last):
        ValueError: BoxFusionHook: views=['hflip'] and scales=[]; give views='identity' and then ...
    """

    phase = Phase.LABEL

    def __init__(
        self,
        views: Sequence[Orientation] = ("identity", "hflip"),
        *,
        scales: Sequence[float] = (),
        min_iou: float = 0.6,
    ) -> None:
        name = type(self).__name__
        for view in views:
            check_choice(name, "views", view, ORIENTATIONS)
        once = len(set(views)) == len(views)
        if not views or views[0] != "identity" or not once or len(views) + len(scales) < 2:
            raise ValueError(
                f"{name}: views={list(views)} and scales={list(scales)}; give views='identity' and "
                f"then at least one more, each once, of {list(ORIENTATIONS)}, or scales"
            )
        for scale in scales:
            check_range(name, "scales", scale, 0.1, 10)
        if 1.0 in scales or len(set(scales)) < len(scales):
            raise ValueError(
                f"{name}: scales={list(scales)} repeat a size (1 is that of the "
                "weak view); give each once, such as (0.8, 1.25)"
            )
        check_range(name, "min_iou", min_iou)
        self.others = [SecondView(view) for view in views[1:]]
        self.others += [SecondView("identity", scale=scale) for scale in scales]
        self.min_iou = min_iou

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors (they have `UncertaintyFusionHook`)."""
        super().on_attach(detector_only(self, model, "fuses boxes"))

    def after_teacher(self, step: Step) -> None:
        """Label the other views, and fuse the predictions for each image."""
        found = [step.pseudo_boxes, *(self._seen(step.weak_views, o) for o in self.others)]
        before = sum(len(boxes) for boxes in step.pseudo_boxes)
        step.pseudo = [self._fused(list(boxes)) for boxes in zip(*found, strict=True)]
        step.count("fusion/found", before / len(step.pseudo))
        step.count("fusion/fused", sum(map(len, step.pseudo)) / len(step.pseudo))

    def _seen(self, views: Views, other: SecondView) -> list[PseudoBoxes]:
        """The teacher's predictions for another form of the views, in the frame of the views."""
        found: list[PseudoBoxes] = self.attached_model.label(other.views(views))
        for boxes, sample in zip(found, views.samples, strict=True):
            shape = shape_of(sample, views)
            boxes.bboxes = other.boxes_back(boxes.bboxes, shape)
            if "masks" in boxes:
                boxes.masks = other.masks_back(boxes.masks, shape)
        return found

    def _fused(self, found: list[PseudoBoxes]) -> PseudoBoxes:
        every = PseudoBoxes.cat(found)
        numbers = [boxes.labels.new_full((len(boxes),), i) for i, boxes in enumerate(found)]
        numbered = torch.cat([every.bboxes, every.value("objectness")[:, None]], 1)
        leaders, means, scores = vote(
            numbered, every.scores, every.labels, torch.cat(numbers), len(found), self.min_iou
        )
        fused = every[leaders]
        fused.bboxes, fused.scores = means[:, :4], scores
        if "objectness" in every:
            fused.objectness = means[:, 4]
        return fused[scores.argsort(descending=True)]
