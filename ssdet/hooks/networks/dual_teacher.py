"""Two teachers: two students learn the labels on which both agree with confidence."""

from __future__ import annotations

from typing import Any, Literal

import torch
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW, PseudoBoxes, Source
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import Fusion, confident_overlap, fuse_boxes, match_boxes
from ...validation import check_choice, check_range
from .._parts.network_hook import NetworkHook

Unmatched = Literal["ambiguous", "ignore", "drop"]
HORIZON = 100  # steps that the running mean of the agreement looks back


@HOOKS.register_module()
class DualTeacherHook(NetworkHook):
    """Keep the labels that two mean teachers agree on (Dual Mean-Teacher, NeurIPS 2023).

    The second student is an auxiliary network with a teacher of its own (`auxiliary_teachers` of
    the model); `TeacherEMAHook` moves both. Both students learn the same labels in the same views.

    Pixels are kept where both teachers give the same label with a score above `score`. These must
    be at least `agreement` of the pixels of an image that either is confident of. Boxes above
    `score` are matched one to one; a pair becomes one box with the lower score, and an image is
    kept if the pairs are at least `agreement` of all boxes, a pair counted once. An image that
    is not kept is ignored; so is an image in which neither is confident of anything, unless all
    scores lie below `background`.

    Teachers that always agree act as one. So the agreement, over the images in which one of them
    is confident of something, is logged. A running mean above `collapse` gives a warning.

    Args:
        network: Key of the second student in `auxiliary` of the model.
        score: Both teachers must have a score above this.
        agreement: Lowest share of what is agreed on, for an image to be kept; 0 keeps all.
        iou: Lowest IoU of a pair of boxes (and of their masks).
        fusion: The box of a pair: "wbf", the mean weighted by the scores, or "inter", the common
            rectangle, which is biased to small boxes.
        unmatched: A confident box of one teacher only: "ambiguous" (trained on with half its score
            as weight), "ignore" (a region without loss) or "drop" (background).
        background: An image without a confident box is background if no score reaches this.
        collapse: Running agreement above which the teachers count as one.

    Examples:
        >>> from ssdet.testing import fcn, segmentor, take_step
        >>> model = segmentor(auxiliary=dict(second=fcn()), auxiliary_teachers=["second"])
        >>> step = take_step(model, DualTeacherHook("second", score=0.1))
        >>> sorted(name for name in step.log if "dual" in name)
        ['dual_teacher/agreement', 'dual_teacher/images_kept']
        >>> segmentor(auxiliary=dict(second=fcn())).attach(DualTeacherHook("second"))
        Traceback (most recent call last):
        ValueError: DualTeacherHook: the network 'second' has no teacher: set auxiliary_teachers=...
    """

    phase = Phase.LABEL
    selects_labels = True
    pixels_only = False

    def __init__(
        self,
        network: str = "second",
        *,
        score: float = 0.6,
        agreement: float = 0.6,
        iou: float = 0.6,
        fusion: Fusion = "wbf",
        unmatched: Unmatched = "ambiguous",
        background: float = 0.05,
        collapse: float = 0.98,
    ) -> None:
        name = type(self).__name__
        limits = dict(score=score, agreement=agreement, iou=iou, background=background)
        for key, value in dict(limits, collapse=collapse).items():
            check_range(name, key, value)
        check_choice(name, "fusion", fusion, Fusion)
        check_choice(name, "unmatched", unmatched, Unmatched)
        self.names = (network,)
        self.score, self.agreement, self.iou, self.fusion = score, agreement, iou, fusion
        self.unmatched, self.background, self.collapse = unmatched, background, collapse
        self._mean, self._steps = 0.0, 0

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model whose second student has no teacher of its own."""
        super().on_attach(model)
        if self.names[0] not in model.pairs:
            raise ValueError(
                f"{type(self).__name__}: the network {self.names[0]!r} has no teacher: set "
                f"auxiliary_teachers=[{self.names[0]!r}] in the model"
            )

    def after_teacher(self, step: Step) -> None:
        """Keep the labels that both teachers predict."""
        other = self.label(step, self.names[0])
        if isinstance(step.pseudo, PixelLabels):
            overlap, found = self._pixels(step.pseudo, other)
        else:
            images = range(len(step.pseudo_boxes))
            judged = [self._boxes(step, image, other[image]) for image in images]
            overlap, found = (torch.tensor(each) for each in zip(*judged, strict=True))
        step.count("dual_teacher/images_kept", (overlap >= self.agreement).float().mean())
        if found.any():  # teachers that are confident of nothing do not agree on anything
            agreement = overlap[found].mean()
            step.count("dual_teacher/agreement", agreement)
            self._watch_collapse(float(agreement))

    def after_loss(self, step: Step) -> None:
        """The losses of the second student."""
        self.supervise(step, self.names[0])
        for view, targets in step.targets.items():
            if not isinstance(targets, PixelLabels):
                # A detector may have written into those of the first student.
                targets = [sample.clone() for sample in targets]
            self.teach(step, self.names[0], view, targets)

    def state_dict(self) -> dict[str, Any]:
        """The running mean of the agreement."""
        return {"mean": self._mean, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self._mean, self._steps = state["mean"], state["steps"]

    # ------------------------------------------------------------------ pixels and boxes

    def _pixels(self, own: PixelLabels, other: PixelLabels) -> tuple[Tensor, Tensor]:
        """Weight the pixels; the agreement of each image, and if a teacher is confident of any."""
        sure = [(one.scores > self.score) & one.valid for one in (own, other)]
        same = own.labels == other.labels
        overlap = confident_overlap(sure[0], sure[1], same)
        kept = sure[0] & sure[1] & same & (overlap >= self.agreement)[:, None, None]
        own.weights = own.weights * kept
        own.scores = torch.minimum(own.scores, other.scores)
        if own.soft is not None and other.soft is not None:
            own.soft = (own.soft + other.soft) / 2
        return overlap, (sure[0] | sure[1]).flatten(1).any(1)

    def _boxes(self, step: Step, image: int, other: InstanceData) -> tuple[float, bool]:
        """Replace the boxes of an image; the agreement, and if a teacher is confident of any."""
        own = step.pseudo_boxes[image]
        highest = max([float(one.scores.max()) for one in (own, other) if len(one)], default=0.0)
        step.drop(image, own.scores <= self.score, "score")
        first, second = _plain(step.pseudo_boxes[image]), _plain(other[other.scores > self.score])
        rows, columns = match_boxes(
            first.bboxes, second.bboxes, (first.labels, second.labels), self.iou
        )
        pairs = self._fused(first[rows], second[columns])
        alone = [one[_left(one, taken)] for one, taken in ((first, rows), (second, columns))]
        either = len(first) + len(second) - len(rows)
        overlap = len(rows) / either if either else 1.0
        unsure = either == 0 and highest >= self.background
        if unsure or overlap < self.agreement:
            step.pseudo_boxes[image] = _everywhere(first, step.weak_views.samples[image])
        else:
            step.pseudo_boxes[image] = PseudoBoxes.cat([pairs, *map(self._single, alone)])
        step.count("dual_teacher/pairs", len(rows) / len(step.pseudo_boxes))
        return overlap, either > 0

    def _fused(self, first: InstanceData, second: InstanceData) -> InstanceData:
        fused = first[torch.arange(len(first), device=first.bboxes.device)]
        fused.bboxes = fuse_boxes(
            first.bboxes, second.bboxes, (first.scores, second.scores), self.fusion
        )
        fused.scores = torch.minimum(first.scores, second.scores)
        if "masks" not in first:
            return fused
        masks = [one.masks.bool() for one in (first, second)]
        both, either = masks[0] & masks[1], masks[0] | masks[1]
        areas = [area.flatten(1).sum(1) for area in (both, either)]
        fused.masks = both.to(first.masks)
        return fused[areas[0] / areas[1].clamp(min=1) >= self.iou]

    def _single(self, boxes: InstanceData) -> InstanceData:
        """The boxes that only one teacher has found, as `unmatched` says."""
        if self.unmatched == "drop":
            return boxes[:0]
        boxes.level = torch.full_like(
            boxes.level, AMBIGUOUS if self.unmatched == "ambiguous" else LOW
        )
        boxes.weight_cls = boxes.weight_cls * boxes.scores * 0.5
        boxes.weight_box = boxes.weight_box * boxes.scores * 0.5
        return boxes

    def _watch_collapse(self, agreement: float) -> None:
        self._steps += 1
        horizon = min(self._steps, HORIZON)
        self._mean += (agreement - self._mean) / horizon
        if self._steps % HORIZON == 0 and self._mean > self.collapse:
            print_log(
                f"{type(self).__name__}: the teachers agree on {self._mean:.1%} of what either is "
                f"confident of (mean of {HORIZON} steps): they have collapsed into one, and their "
                "consensus filters nothing. Make them differ: another backbone, other initial "
                "weights.",
                logger="current",
                level=30,
            )


def _plain(boxes: InstanceData) -> InstanceData:
    """A copy whose boxes are all trusted, until one turns out to be unmatched."""
    return PseudoBoxes.of(boxes, level=torch.full_like(boxes.labels, HIGH))


def _left(boxes: InstanceData, taken: Tensor) -> Tensor:
    left = torch.ones(len(boxes), dtype=torch.bool, device=boxes.bboxes.device)
    left[taken] = False
    return left


def _everywhere(like: InstanceData, sample: Any) -> InstanceData:
    """One region to ignore that covers the view: no loss is taken from it."""
    height, width = sample.metainfo["img_shape"][:2]
    boxes = like.bboxes
    whole = PseudoBoxes(
        bboxes=boxes.new_tensor([[0.0, 0.0, width, height]]),
        labels=like.labels.new_zeros(1),
        scores=boxes.new_zeros(1),
        weight_cls=boxes.new_zeros(1),
        weight_box=boxes.new_zeros(1),
        level=like.level.new_full((1,), LOW),
        source=like.labels.new_full((1,), Source.TEACHER),
    )
    if "masks" in like:
        whole.masks = like.masks.new_zeros((1, *like.masks.shape[1:]))
    return whole
