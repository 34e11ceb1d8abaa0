"""How often a model is right, by the score that it gives: what a threshold would keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmdet.structures.bbox import get_box_tensor
from mmengine.dist import all_gather_object
from mmengine.structures import BaseDataElement
from torch import Tensor

from ..labels import IGNORE
from ..teacher_student.pixel_scores import pixel_probabilities
from .pseudo_labels import matched
from .truth import BoxTruth

BINS = 50
PIXELS = 40_000  # of an image that are looked at, on a regular grid
BOXES = 100  # of an image, those with the highest scores


class QualityByScore:
    """Counts of predictions and of right ones for each class and score, on labeled images.

    Boxes: one is right if it has the class of an object and an IoU of at least 0.5 with it, and no
    box with a higher score has that object. Pixels: a right one has the true class; a regular grid
    of each image is counted. Samples without labels are left out. Predictions that cannot be
    compared with labels end the counting, and `problem` says why.

    Args:
        truth: Where the labeled objects are found (default: in the samples).
        probabilities: Of pixels (B, C, H, W), from the output of the segmentor (default: it gives
            logits).
    """

    def __init__(
        self,
        truth: BoxTruth | None = None,
        probabilities: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._truth = truth or BoxTruth()
        self._probabilities = probabilities or pixel_probabilities
        self.unit = "boxes"
        # Rows: class; columns: score. Index 0: all predictions, 1: the right ones.
        self.counts: np.ndarray = np.zeros((2, 0, BINS))
        self.truth: np.ndarray = np.zeros(0)
        self.problem = ""

    def add(self, samples: Sequence[Any]) -> None:
        """Add predictions of some images."""
        for sample in samples:
            if self.problem or not isinstance(sample, BaseDataElement):
                continue
            if "pred_instances" in sample:
                self._boxes(sample)
            elif "pred_sem_seg" in sample and "gt_sem_seg" in sample and "seg_logits" in sample:
                self._pixels(sample)

    def _boxes(self, sample: Any) -> None:
        found, truth = sample.pred_instances, self._truth.of(sample)
        needed = ("bboxes", "labels", "scores")
        if truth is None or not all(name in found for name in needed):
            return
        objects, labels = truth
        predicted = get_box_tensor(found.bboxes)
        if predicted.shape[1:] != (4,) or found.scores.ndim != 1 or objects.shape[1:] != (4,):
            self.problem = f"boxes {tuple(predicted.shape)} are no rectangles along the axes"
            return
        height, width = sample.ori_shape[:2]
        if (objects[:, 2:] > objects.new_tensor([width, height]) + 1).any():
            self.problem = "labels lie beyond the image: list LoadAnnotations behind Resize"
            return
        order = found.scores.argsort(descending=True)[:BOXES]
        classes, scores = found.labels[order].cpu(), found.scores[order].float().cpu()
        right, _ = matched(predicted[order].cpu(), classes, objects, labels)
        self._count(labels.numpy(), classes.numpy(), scores.numpy(), right)

    def _pixels(self, sample: Any) -> None:
        self.unit = "pixels"
        logits = sample.seg_logits.data
        labels, wanted = sample.gt_sem_seg.data.squeeze(0), sample.pred_sem_seg.data.squeeze(0)
        if labels.ndim != 2 or not logits.shape[1:] == labels.shape == wanted.shape:
            sizes = ", ".join(str(tuple(one.shape)) for one in (logits, wanted, labels))
            self.problem = f"logits, predictions and labels differ in size: {sizes}"
            return
        step = max(round((labels.numel() / PIXELS) ** 0.5), 1)
        logits, labels = logits[:, ::step, ::step], labels[::step, ::step]
        wanted = wanted[::step, ::step]
        scores = self._probabilities(logits[None])[0].gather(0, wanted[None].long())[0]
        known = labels.cpu().numpy() != IGNORE
        truth, found = labels.cpu().numpy()[known], wanted.cpu().numpy()[known]
        self._count(truth, found, scores.cpu().numpy()[known], truth == found)

    def _count(self, truth: Any, labels: Any, scores: Any, right: Any) -> None:
        self._widen(int(max(truth.max(initial=-1), labels.max(initial=-1))) + 1)
        classes = len(self.truth)
        self.truth += np.bincount(truth.astype(int), minlength=classes)
        places = labels.astype(int) * BINS + np.clip((scores * BINS).astype(int), 0, BINS - 1)
        for table, chosen in zip(self.counts, (places, places[np.asarray(right)]), strict=True):
            table += np.bincount(chosen, minlength=classes * BINS).reshape(classes, BINS)

    def _widen(self, classes: int) -> None:
        more = classes - len(self.truth)
        if more > 0:
            self.truth = np.pad(self.truth, (0, more))
            self.counts = np.pad(self.counts, ((0, 0), (0, more), (0, 0)))

    def merge(self, other: QualityByScore) -> None:
        """Add the counts of another process."""
        self._widen(len(other.truth))
        other._widen(len(self.truth))
        self.truth, self.counts = self.truth + other.truth, self.counts + other.counts
        self.problem = self.problem or other.problem
        self.unit = other.unit if other.counts.any() else self.unit

    def summary(self) -> dict[str, Any] | None:
        """The counts of all processes as plain numbers; None where nothing could be counted."""
        every = QualityByScore()
        for one in all_gather_object((self.unit, self.counts, self.truth, self.problem)):
            part = QualityByScore()
            part.unit, part.counts, part.truth, part.problem = one
            every.merge(part)
        self.problem = every.problem
        if every.problem or not every.truth.any():
            return None
        proposed, right = every.counts.astype(int).tolist()
        return {"truth": every.truth.astype(int).tolist(), "proposed": proposed, "right": right}
