"""Weights of classes: rare ones count more, in labels and in pseudo labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from mmengine.dataset import ConcatDataset
from mmengine.dist import all_reduce
from torch import Tensor

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step, Views
from ...thresholds.effective_number import Over, effective_number_weights
from ...validation import check_choice, check_range
from .._parts.labeled_pass import numbers_of
from .._parts.model_kind import honors_weights
from ..step_hook import StepHook


@HOOKS.register_module()
class ClassBalanceHook(StepHook):
    """Multiply the class weights of labels and pseudo labels by the effective number of a class.

    Class-balanced loss (Cui et al., CVPR 2019): a class of n samples weighs
    (1 - beta) / (1 - beta^n). "Rethinking the value of labels" (Yang & Xu, NeurIPS 2020) weighs
    labels so; counting expected pseudo labels too is ours. n are the labels of the class, and as
    many pseudo labels as all unlabeled images would have, each counted by its score: the running
    mean over images, times their number. Boxes are counted; of pixels, the images that show the
    class.

    While it is weighted, the supervised loss of a segmentor is without hard example mining.

    Args:
        beta: Near 1 weighs by 1 / n; 0 makes all weights alike.
        momentum: Of the mean number of pseudo labels in an image.
        labels, pseudo_labels: What is weighted.
        over: What the mean weight of 1 is taken over. "samples" leaves the size of the loss as it
            was; "classes" is the paper's, where a class that is hardly ever seen shrinks the loss
            of all others, and a detector takes their objects for background.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), ClassBalanceHook(beta=0.0))
        >>> step.log["class_balance/highest"]
        tensor(1.)
    """

    phase = Phase.WEIGHT
    changes_passes = False  # the weights are those of losses, which a joint pass has, too

    def __init__(
        self,
        beta: float = 0.999,
        *,
        momentum: float = 0.99,
        labels: bool = True,
        pseudo_labels: bool = True,
        over: Over = "samples",
    ) -> None:
        name = type(self).__name__
        check_choice(name, "over", over, Over)
        check_range(name, "beta", beta)
        check_range(name, "momentum", momentum, 0, 0.9999)
        self.beta, self.momentum = beta, momentum
        self.labels, self.pseudo_labels, self.over = labels, pseudo_labels, over
        self.labeled = torch.zeros(0, dtype=torch.float64)  # counts, and the images in the last row
        self.found = torch.zeros(0, dtype=torch.float64)  # the same of pseudo labels, with decay
        self.sizes: tuple[int, int] | None = None  # images, where the training data are known

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse segmentors without weights of pixels."""
        if isinstance(model, TeacherStudentSegmentor):
            honors_weights(self, model)
        super().on_attach(model)

    def before_train(self, runner: Any) -> None:
        """How many images there are of each kind."""
        super().before_train(runner)
        dataset = getattr(runner.train_dataloader, "dataset", None)
        if isinstance(dataset, ConcatDataset):
            labeled, every = (len(numbers_of(dataset, labeled=kind)) for kind in (True, False))
            self.sizes = (labeled, every)

    def before_teacher(self, step: Step) -> None:
        """Count and weight the labels."""
        classes = step.model.num_classes
        new = torch.zeros(classes + 1, dtype=torch.float64)
        if step.sup is not None:
            new = _labels_in(step.sup, classes)
        self.labeled = _sum(self.labeled, new, 1.0)
        if step.sup is None or not self.labels or "gt_instances" not in step.sup.samples[0]:
            return
        for sample in step.sup.samples:
            boxes = sample.gt_instances
            weights = self.weights(classes).to(boxes.labels.device)[boxes.labels]
            boxes.weight_cls = boxes.get("weight_cls", torch.ones_like(weights)) * weights

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """The supervised loss of a segmentor has weights within the context."""
        model: Any = step.model
        weighted: AbstractContextManager[None] = nullcontext()
        if branch == "sup" and self.labels and isinstance(model, TeacherStudentSegmentor):
            maps = torch.stack([s.gt_sem_seg.data[0] for s in step.branches["sup"].samples])
            valid = maps != IGNORE
            weights = self._of_pixels(maps.long(), valid)
            known = PixelLabels(maps, valid.float(), weights, valid)
            weighted = model.pixel_weights[model.student].of(known)
        with weighted:
            yield

    def after_teacher(self, step: Step) -> None:
        """Count and weight the pseudo labels."""
        classes = step.model.num_classes
        self.found = _sum(self.found, _pseudo_labels_in(step, classes), self.momentum)
        weights = self.weights(classes)
        step.log["class_balance/lowest"] = weights.min()
        step.log["class_balance/highest"] = weights.max()
        if not self.pseudo_labels:
            return
        if isinstance(step.pseudo, PixelLabels):
            step.pseudo.weights = step.pseudo.weights * self._of_pixels(
                step.pseudo.labels, step.pseudo.valid
            )
            return
        for boxes in step.pseudo_boxes:
            boxes.weight_cls = boxes.weight_cls * weights.to(boxes.scores)[boxes.labels]

    def weights(self, classes: int) -> Tensor:
        """The weight of each class (C,), as of now."""
        counts = torch.zeros(classes, dtype=torch.float64)
        for kind, seen in enumerate((self.labeled, self.found)):
            if len(seen) and seen[-1] > 0:
                images = float(seen[-1]) if self.sizes is None else self.sizes[kind]
                counts += seen[:-1] / seen[-1] * images
        return effective_number_weights(counts, self.beta, over=self.over)

    def _of_pixels(self, labels: Tensor, valid: Tensor) -> Tensor:
        table = self.weights(self.attached_model.num_classes).to(labels.device)
        return table[labels.where(valid, 0)] * valid

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"labeled": self.labeled, "found": self.found} if len(self.labeled) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the counts."""
        self.labeled, self.found = state["labeled"], state["found"]


def _sum(before: Tensor, new: Tensor, kept: float) -> Tensor:
    """The counts with those of all processes added."""
    new = new.float()
    all_reduce(new)
    new = new.double().cpu()
    return before * kept + new if len(before) else new


def _labels_in(views: Views, classes: int) -> Tensor:
    """Labels of each class in a labeled batch; last the number of images."""
    if "gt_sem_seg" in views.samples[0]:
        maps = [sample.gt_sem_seg.data.flatten().long() for sample in views.samples]
        rows = [torch.bincount(one[one < classes], minlength=classes) > 0 for one in maps]
    else:
        given = [sample.gt_instances.labels for sample in views.samples]
        rows = [torch.bincount(one, minlength=classes) for one in given]
    counts = torch.stack(rows).sum(0).double()
    return torch.cat([counts, counts.new_tensor([len(rows)])])


def _pseudo_labels_in(step: Step, classes: int) -> Tensor:
    """Expected labels of each class among those that are kept; last the number of images."""
    if isinstance(step.pseudo, PixelLabels):
        pixels = step.pseudo
        kept = pixels.valid & (pixels.weights > 0)
        images = zip(pixels.labels, pixels.scores, kept, strict=True)
        sums = torch.stack([_score_of(*image, classes) for image in images]).sum(0)
    else:
        trained = [boxes[boxes.value("level") >= AMBIGUOUS] for boxes in step.pseudo_boxes]
        labels, scores = (torch.cat([one[key] for one in trained]) for key in ("labels", "scores"))
        sums = scores.new_zeros(classes).index_add(0, labels, scores).double()
    return torch.cat([sums, sums.new_tensor([len(step.pseudo or ())])])


def _score_of(labels: Tensor, scores: Tensor, kept: Tensor, classes: int) -> Tensor:
    """The mean score of the pixels of each class in an image: how likely it is there."""
    labels, scores = labels[kept], scores[kept].double()
    counts = torch.bincount(labels, minlength=classes)
    sums = scores.new_zeros(classes).index_add(0, labels, scores)
    return sums / counts.clamp(min=1)
