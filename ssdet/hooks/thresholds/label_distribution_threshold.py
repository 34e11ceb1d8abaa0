"""Thresholds that give the pseudo labels the class distribution of the labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import Step
from ...thresholds import expected_counts, ranked_thresholds
from ...validation import check_choice, check_range
from .._parts.image_scores import ImageScores, image_rows
from .._parts.label_counts import LabelCounts
from .._parts.labeled_pass import UnlabeledPass
from .._parts.score_history import gathered
from .threshold_hook import Limits, ThresholdHook, Uncertain

Source = Literal["queue", "pass"]


@HOOKS.register_module()
class LabelDistributionThresholdHook(ThresholdHook):
    """As many pseudo labels of each class as there should be, according to the labeled data.

    The adaptive threshold of LabelMatch (Chen et al., CVPR 2022): labeled and unlabeled images
    are assumed to have the same average number of boxes of each class. So n_c of them are expected
    in K unlabeled images. The best `reliable` * n_c boxes that the teacher finds there are kept;
    those up to rank `uncertain` * n_c are uncertain, and become ignore regions. For pixels,
    shares of the labeled pixels are counted instead of boxes, in the labeled batches.

    `source="queue"` keeps the teacher's labels of the latest `images` images, which costs
    nothing more; until it is full, `default` rules. `source="pass"` labels that many random
    unlabeled images every `interval` iterations, the first time right after the burn-in. What the
    paper does with uncertain boxes is `SelfAssignmentHook`, beside `uncertain_as="ambiguous"`.

    Args:
        reliable, uncertain: Shares of the expected number.
        source: "queue" or "pass".
        images: Unlabeled images that the thresholds come from, in all processes together.
        interval: Iterations between two computations of the thresholds.
        per_image: Labels of an image that are kept: the best boxes, or pixels drawn at
            random.
        floor: Lowest threshold.
        default: Threshold of a class without any label, and of all until the first computation.
        uncertain_as: What becomes of uncertain labels: "ignore", "ambiguous" (trained on
            with their score as weight) or "drop".

    Examples:
        >>> from ssdet.testing import box_step
        >>> step = box_step([0.95, 0.5])
        >>> LabelDistributionThresholdHook(default=0.9).after_teacher(step)  # nothing counted yet
        >>> step.pseudo[0].scores
        tensor([0.9500])
        >>> LabelDistributionThresholdHook(reliable=0.5, uncertain=0.2)
        Traceback (most recent call last):
        ValueError: LabelDistributionThresholdHook: reliable=0.5 is not in [0, 0.2]
    """

    inclusive = True  # the best box of a class is kept, however few are expected

    def __init__(
        self,
        reliable: float = 0.2,
        uncertain: float = 1.0,
        *,
        source: Source = "queue",
        images: int = 12800,
        interval: int = 50,
        per_image: int = 100,
        floor: float = 0.05,
        default: float = 0.9,
        uncertain_as: Uncertain = "ignore",
    ) -> None:
        name = type(self).__name__
        check_choice(name, "source", source, Source)
        check_choice(name, "uncertain_as", uncertain_as, Uncertain)
        check_range(name, "reliable", reliable, 0, uncertain)
        for key, value in dict(floor=floor, default=default).items():
            check_range(name, key, value)
        for key, count in dict(images=images, interval=interval, per_image=per_image).items():
            check_range(name, key, count, 1, float("inf"))
        self.shares, self.floor, self.default = (reliable, uncertain), floor, default
        self.source, self.interval, self.uncertain_as = source, interval, uncertain_as
        self.ring = ImageScores(images if source == "queue" else 0, per_image)
        self.images, self.per_image = images, per_image
        self.counts = LabelCounts()
        self._values: tuple[Tensor, Tensor] | None = None
        self._dataset: Any = None

    def before_train(self, runner: Any) -> None:
        """Count the boxes of the labeled images."""
        super().before_train(runner)
        self._dataset = getattr(runner.train_dataloader, "dataset", None)
        if self.num_classes and not isinstance(self.model, TeacherStudentSegmentor):
            self.counts.count(self._dataset, self.num_classes)
        if self.source == "pass":
            self._unlabeled()  # if there is none, fail now and not after the burn-in

    def observe(self, step: Step) -> None:
        """Store the new labels, and compute the thresholds when due."""
        if self.source == "queue":
            self.ring.push(gathered(image_rows(step.pseudo, self.per_image)))  # type: ignore[arg-type]
            if not self.ring.full:
                return
        since = step.iteration - getattr(step.model, "burn_in", 0)
        if self.counts.amount and (self._values is None or since % self.interval == 0):
            self._values = self._computed(*self._rows(step.model), self.count_classes(step))

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The thresholds as they were computed last."""
        if self._values is None:
            return Limits(torch.full((classes,), self.default, device=device))
        upper, lower = (value.to(device) for value in self._values)
        return Limits(upper, lower)

    def after_loss(self, step: Step) -> None:
        """Count the labels of the batch, where the annotations could not be counted before."""
        if step.sup is not None:
            self.counts.add(step.sup, step.model.num_classes)

    def state_dict(self) -> dict[str, Any]:
        """Counts, thresholds, and stored labels."""
        state: dict[str, Any] = {"counts": self.counts.state_dict(), "ring": self.ring.state_dict()}
        if self._values is not None:
            state["values"] = [value.cpu() for value in self._values]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.counts.load_state_dict(state["counts"])
        self.ring.load_state_dict(type(self).__name__, state["ring"])
        if "values" in state:
            self._values = (state["values"][0], state["values"][1])

    # ------------------------------------------------------------------ the computation

    def _rows(self, model: TeacherStudent) -> tuple[Tensor, Tensor]:
        """Scores and classes (K, per_image) of the images that the thresholds come from."""
        if self.source == "queue":
            return self.ring.scores, self.ring.labels
        views = self._unlabeled().views(model, model.iteration)
        found = [image_rows(model.label(one), self.per_image) for one in views]
        device = next(model.parameters()).device
        empty = torch.zeros(0, self.per_image, 2, device=device)
        rows = gathered(torch.cat([empty, *found]))
        return rows[..., 0], rows[..., 1].long()

    def _unlabeled(self) -> UnlabeledPass:
        found = UnlabeledPass(self._dataset, self.images)
        if not found.numbers:
            raise RuntimeError(
                f"{type(self).__name__}: source='pass' labels images of the training data, but "
                "there are none without labels (or none are known, in a plain PyTorch loop); take "
                "source='queue'"
            )
        return found

    def _computed(self, scores: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        pixels = isinstance(self.model, TeacherStudentSegmentor)
        amount = int((labels >= 0).sum()) if pixels else len(labels)
        counts = expected_counts(self.counts.labels, self.counts.amount, amount)
        if len(counts) < classes:
            counts = torch.cat([counts, counts.new_ones(classes - len(counts))])
        return ranked_thresholds(
            scores.flatten(),
            labels.flatten(),
            counts,
            self.shares,
            floor=self.floor,
            default=self.default,
        )
