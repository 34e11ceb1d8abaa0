"""What the teacher says about labeled images that it was not trained on, and how much is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.dataset import Compose, ConcatDataset
from mmengine.dist import all_gather_object, get_dist_info
from torch import Tensor

from ...evaluation.pseudo_labels import matched
from ...labels import IGNORE
from ...teacher_student.core import TeacherStudent
from ...teacher_student.hook_points import phase_of
from ...teacher_student.passes import teacher_labels
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import PixelLabels, Step, Views
from ...thresholds import mean_average_precision
from .labeled_pass import LabeledPass

WELL_PLACED = 0.75  # IoU
COVERED = 0.5  # share of a box inside of an ignored region, from which it is not judged
LOWEST = 0.05  # score
PIXELS = 4096  # of each image that are judged, evenly spread


@dataclass
class Judged:
    """Labels (N,) of the teacher, the image of each, and whether it is right.

    `placed`: boxes that are right with an IoU of 0.75. `truths` (C,) are the objects (or pixels) of
    each class; the numbers of the images are their places in the order of the pass.
    """

    scores: Tensor
    labels: Tensor
    right: Tensor
    placed: Tensor
    images: Tensor
    truths: Tensor
    pixels: bool = False

    @property
    def quality(self) -> float:
        """AP at an IoU of 0.5, or the mean IoU of pixels; the mean of the classes, in [0, 1]."""
        if not self.pixels:
            return mean_average_precision(self.scores, self.labels, self.right, self.truths)
        classes = len(self.truths)
        found = torch.bincount(self.labels, minlength=classes)[:classes]
        hits = torch.bincount(self.labels[self.right], minlength=classes)[:classes]
        union = found + self.truths - hits
        seen = self.truths > 0
        return float((hits[seen] / union[seen]).mean()) if seen.any() else 0.0


class HeldOutFold(LabeledPass):
    """The images that the training set holds out (`held_out` of `LabeledUnlabeledDataset`)."""

    @classmethod
    def of_runner(
        cls, owner: str, runner: Any, pipeline: Sequence[Any] | None, limit: int
    ) -> HeldOutFold:
        """From the training data of a runner, perhaps with another pipeline than theirs."""
        dataset = getattr(runner.train_dataloader, "dataset", None)
        folds = list(getattr(dataset, "folds", ()))
        if not folds:
            raise ValueError(
                f"{owner}: no labeled image is held out, and on those that it was trained on the "
                "teacher is always right. Set train_dataloader.dataset.held_out to a share such as "
                "0.2; the data set is a LabeledUnlabeledDataset"
            )
        if pipeline is not None:
            folds = [_with_pipeline(fold, pipeline) for fold in folds]
        return cls(folds[0] if len(folds) == 1 else ConcatDataset(folds), limit)

    def judged(self, model: TeacherStudent, moment: int) -> Judged:
        """What the teacher says about all images, of all processes; each must call it."""
        rank, world = get_dist_info()
        classes = model.num_classes
        none = torch.zeros(0)
        parts = [_part(none, none, none, none, 0, torch.zeros(classes))]
        for number, views in enumerate(self.views(model, moment)):
            parts.append(_judged(model, views, rank + world * number))
        every: list[Judged] = [one for own in all_gather_object(parts) for one in own]
        pixels = any(one.pixels for one in every)
        joined: dict[str, Any] = {
            field.name: torch.cat([getattr(one, field.name) for one in every])
            for field in fields(Judged)
            if field.name not in ("truths", "pixels")
        }
        # In the order of the images, as one process alone would have them.
        order = joined["images"].argsort(stable=True)
        truths = torch.stack([one.truths for one in every]).sum(0)
        return Judged(**{k: v[order] for k, v in joined.items()}, truths=truths, pixels=pixels)


def _with_pipeline(fold: Any, pipeline: Sequence[Any]) -> Any:
    fold = fold.get_subset(range(len(fold)))
    fold.pipeline = Compose(pipeline)
    return fold


@torch.no_grad()
def _judged(model: TeacherStudent, views: Views, image: int) -> Judged:
    """The labels of one image, after the hooks that change what the teacher says."""
    step = Step(model, model.iteration, weak=views)
    with teacher_labels(model, step):
        step.pseudo = model.label(views)
    step.dropped = [{}]
    for hook in model.hooks:
        if phase_of(hook) is Phase.LABEL:
            hook.after_teacher(step)
    (sample,) = views.samples
    if isinstance(step.pseudo, PixelLabels):
        return _pixels(step.pseudo, sample, image, model.num_classes)
    return _boxes(step.pseudo_boxes[0], sample, image, model.num_classes)


def _boxes(found: PseudoBoxes, sample: Any, image: int, classes: int) -> Judged:
    truth, ignored = sample.gt_instances, sample.get("ignored_instances")
    kept = found.scores >= LOWEST
    if ignored is not None and len(ignored):
        regions = get_box_tensor(ignored.bboxes).to(found.bboxes)
        covered = bbox_overlaps(found.bboxes, regions, mode="iof").amax(1)
        kept &= covered < COVERED
    found = found[kept][found.scores[kept].argsort(descending=True, stable=True)]
    right, overlap = matched(
        found.bboxes.cpu(),
        found.labels.cpu(),
        get_box_tensor(truth.bboxes).cpu(),
        truth.labels.cpu(),
    )
    hits = torch.from_numpy(right)
    placed = hits & (torch.from_numpy(overlap) >= WELL_PLACED)
    truths = torch.bincount(truth.labels.cpu(), minlength=classes)[:classes]
    return _part(found.scores, found.labels, hits, placed, image, truths)


def _pixels(found: PixelLabels, sample: Any, image: int, classes: int) -> Judged:
    truth = sample.gt_sem_seg.data[0].to(found.labels.device)
    height, width = truth.shape
    labels, scores, valid = (
        one[0, :height, :width] for one in (found.labels, found.scores, found.valid)
    )
    known = (valid & (truth != IGNORE) & (labels != IGNORE)).flatten().nonzero().flatten()
    chosen = known[torch.linspace(0, max(len(known) - 1, 0), min(PIXELS, len(known))).long()]
    truth, labels, scores = (one.flatten()[chosen] for one in (truth.long(), labels, scores))
    truths = torch.bincount(truth.cpu(), minlength=classes)[:classes]
    right = labels == truth
    return replace(_part(scores, labels, right, right, image, truths), pixels=True)


def _part(
    scores: Tensor, labels: Tensor, right: Tensor, placed: Tensor, image: int, truths: Tensor
) -> Judged:
    return Judged(
        scores.float().cpu(), labels.long().cpu(), right.bool().cpu(), placed.bool().cpu(),
        torch.full((len(scores),), image), truths.long().cpu(),
    )  # fmt: skip
