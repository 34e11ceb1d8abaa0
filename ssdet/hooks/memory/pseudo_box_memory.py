"""Mined boxes: highly confident boxes of the teacher are kept for their image."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmcv.ops import nms
from mmengine.dist import all_gather_object
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import areas, clip_boxes, homography, project_boxes
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, PseudoBoxes, Source
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.criteria import best_overlaps, highest_overlaps
from .._parts.model_kind import detector_only
from ..step_hook import StepHook


@dataclass
class Mined:
    """The mined boxes of an image, in its own coordinates, on the CPU.

    `checked` is the iteration in which they were last compared with the teacher's boxes.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    born: Tensor
    checked: int

    @classmethod
    def none(cls, checked: int) -> Mined:
        """An image without a box."""
        whole = torch.zeros(0, dtype=torch.long)
        return cls(torch.zeros(0, 4), whole, torch.zeros(0), whole, checked)

    def at(self, index: Tensor) -> Mined:
        """Some of the boxes."""
        index = index.cpu()
        parts = (self.boxes[index], self.labels[index], self.scores[index], self.born[index])
        return Mined(*parts, self.checked)

    def __len__(self) -> int:
        return len(self.boxes)


@HOOKS.register_module()
class PseudoBoxMemoryHook(StepHook):
    """Keep boxes of level HIGH, and train on them again whenever their image is drawn.

    HSSDA (Liu et al., CVPR 2023) writes such boxes into the annotations, as if they were ground
    truth, and never removes them. Here the boxes of an image are checked in the first step
    that shows it, and whenever `interval` iterations have passed since. They are compared with the
    teacher's current ones (of level AMBIGUOUS at least): unsupported ones are dropped, and new
    ones of level HIGH are added. In other steps the stored boxes join the pseudo labels, with
    weight 1; they replace the teacher's boxes at the same places. Thresholds are fitted to labeled
    images only, never to mined boxes.

    Boxes are kept in the coordinates of the original image (weak views may flip, scale and crop;
    a box that the view cuts is not mined), for all processes alike, and in the checkpoint.

    Args:
        interval: Iterations after which the boxes of an image are checked again.
        support: A stored box stays if a box of the teacher of its class has this IoU with it.
        overlap: Boxes with a higher IoU are the same object, whatever their classes.
        max_boxes: At most this many boxes of an image are kept, the highest-scoring ones.
        min_visible: A stored box of which the weak view shows less than this share is neither
            checked nor trained on.

    Examples:
        >>> from ssdet.testing import box_step
        >>> hook, place = PseudoBoxMemoryHook(interval=100), [[8.0, 8.0, 40.0, 40.0]]
        >>> hook.after_teacher(box_step([0.9], boxes=place))  # a confident box of image 0
        >>> step = box_step([0.3], boxes=[[45.0, 45.0, 60.0, 60.0]])  # the teacher misses it later
        >>> hook.after_teacher(step)
        >>> step.pseudo[0].scores
        tensor([0.3000, 0.9000])
    """

    phase = Phase.MEMORY

    def __init__(
        self,
        *,
        interval: int = 2000,
        support: float = 0.5,
        overlap: float = 0.5,
        max_boxes: int = 50,
        min_visible: float = 0.5,
    ) -> None:
        name = type(self).__name__
        check_range(name, "interval", interval, 1, float("inf"))
        check_range(name, "max_boxes", max_boxes, 1, float("inf"))
        for key, value in dict(support=support, overlap=overlap, min_visible=min_visible).items():
            check_range(name, key, value)
        self.interval, self.max_boxes = interval, max_boxes
        self.support, self.overlap, self.min_visible = support, overlap, min_visible
        self.images: dict[Hashable, Mined] = {}

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors with masks: only boxes are stored."""
        model = detector_only(self, model, "stores boxes")
        if model.student.with_mask or hasattr(model.student, "panoptic_head"):
            raise TypeError(
                f"{type(self).__name__}: stores boxes without masks, and "
                f"{type(model.student).__name__} learns masks. Take it out of custom_hooks."
            )
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Check, merge and mine."""
        changed: dict[Hashable, Mined] = {}
        for image, sample in enumerate(step.weak_views.samples):
            key = _name(type(self).__name__, sample)
            mined = self.images.get(key)
            due = mined is None or step.iteration - mined.checked >= self.interval
            mined = Mined.none(step.iteration) if mined is None else mined
            if due:
                mined = self._checked(step, image, mined, sample)
            fresh = self._fresh(step.pseudo_boxes[image], mined, sample) if due else None
            self._merge(step, image, mined, sample)
            if fresh is not None:
                changed[key] = self._with_new(step, mined, fresh, sample)
        for part in all_gather_object(changed):
            self.images.update(part)

    # ------------------------------------------------------------------ one image

    def _checked(self, step: Step, image: int, mined: Mined, sample: Any) -> Mined:
        """The boxes that the teacher still supports, or cannot see."""
        boxes = step.pseudo_boxes[image]
        trained = boxes[boxes.level >= AMBIGUOUS]
        seen, visible = self._in_view(mined, sample, boxes.bboxes)
        labels = mined.labels.to(seen.device)
        found = best_overlaps(seen, labels, trained.bboxes, trained.labels) >= self.support
        kept = mined.at(found | ~visible)
        step.count("store/dropped", len(mined) - len(kept))
        kept.checked = step.iteration
        return kept

    def _fresh(self, boxes: PseudoBoxes, mined: Mined, sample: Any) -> PseudoBoxes:
        """New boxes: of level HIGH, uncut, of objects not stored yet, the best of each object."""
        stored, _ = self._in_view(mined, sample, boxes.bboxes)
        new = (boxes.level == HIGH) & ~_cut(boxes.bboxes, sample)
        fresh = boxes[new & (highest_overlaps(boxes.bboxes, stored) <= self.overlap)]
        return fresh[nms(fresh.bboxes, fresh.scores, self.overlap)[1]] if len(fresh) else fresh

    def _merge(self, step: Step, image: int, mined: Mined, sample: Any) -> None:
        """The stored boxes instead of the teacher's at the same places."""
        boxes = step.pseudo_boxes[image]
        seen, visible = self._in_view(mined, sample, boxes.bboxes)
        step.count("store/merged", visible.sum() / len(step.pseudo_boxes))
        if not visible.any():
            return
        stored = mined.at(visible)
        step.drop(image, highest_overlaps(boxes.bboxes, seen[visible]) > self.overlap, "stored")
        added = PseudoBoxes(
            bboxes=seen[visible],
            labels=stored.labels.to(seen.device),
            scores=stored.scores.to(seen),
            source=torch.full_like(stored.labels, Source.MEMORY).to(seen.device),
        )
        step.pseudo_boxes[image] = PseudoBoxes.cat([step.pseudo_boxes[image], added])

    def _with_new(self, step: Step, mined: Mined, fresh: PseudoBoxes, sample: Any) -> Mined:
        back = np.linalg.inv(homography(sample))
        step.count("store/mined", len(fresh))
        together = Mined(
            torch.cat([mined.boxes, project_boxes(fresh.bboxes, back).cpu()]),
            torch.cat([mined.labels, fresh.labels.cpu()]),
            torch.cat([mined.scores, fresh.scores.cpu()]),
            torch.cat([mined.born, torch.full((len(fresh),), step.iteration)]),
            mined.checked,
        )
        return together.at(together.scores.argsort(descending=True, stable=True)[: self.max_boxes])

    def _in_view(self, mined: Mined, sample: Any, like: Tensor) -> tuple[Tensor, Tensor]:
        """Stored boxes as the weak view shows them, and which of them it shows well enough."""
        hull = project_boxes(mined.boxes.to(like), homography(sample))
        seen = clip_boxes(hull, sample.img_shape)
        return seen, (areas(seen) > 0) & (areas(seen) >= self.min_visible * areas(hull))

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """All images in a few tensors."""
        if not self.images:
            return {}
        every = list(self.images.values())
        return {
            "images": list(self.images),
            "counts": torch.tensor([len(one) for one in every]),
            "checked": torch.tensor([one.checked for one in every]),
            **{
                name: torch.cat([getattr(one, name) for one in every])
                for name in ("boxes", "labels", "scores", "born")
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the mined boxes."""
        counts = state["counts"].tolist()
        parts = zip(
            *(state[name].split(counts) for name in ("boxes", "labels", "scores", "born")),
            state["checked"].tolist(),
            strict=True,
        )
        self.images = {k: Mined(*part) for k, part in zip(state["images"], parts, strict=True)}


def _name(owner: str, sample: Any) -> Hashable:
    """Number and path where both are known: several sources may use the same numbers."""
    known = [sample.metainfo.get(key) for key in ("img_id", "img_path")]
    found = tuple(value for value in known if value is not None)
    if found:
        return found if len(found) > 1 else found[0]
    raise ValueError(
        f"{owner}: an unlabeled image has neither img_id nor img_path, so its boxes cannot be "
        "found again; let the packing transform of the view keep them (meta_keys)"
    )


def _cut(boxes: Tensor, sample: Any) -> Tensor:
    """Which boxes touch a side of the view beyond which the image continues."""
    shape = sample.metainfo.get("ori_shape")
    if shape is None:
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    whole = boxes.new_tensor([[0, 0, shape[1], shape[0]]])
    left, top, right, bottom = project_boxes(whole, homography(sample))[0].tolist()
    height, width = sample.img_shape[:2]
    x1, y1, x2, y2 = boxes.unbind(-1)
    cut = (x1 < 1) & (left < -1) | (x2 > width - 1) & (right > width + 1)
    return cut | (y1 < 1) & (top < -1) | (y2 > height - 1) & (bottom > height + 1)
