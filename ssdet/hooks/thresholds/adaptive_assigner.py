"""Efficient Teacher's distribution adaptor: the two thresholds follow the classes, each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step
from ...thresholds import epoch_thresholds, expected_counts, ranked_thresholds
from ...validation import check_choice, check_range
from .._parts.label_counts import LabelCounts
from .._parts.labeled_pass import numbers_of
from .._parts.score_history import gathered
from .pseudo_label_assigner import PseudoLabelAssignerHook

Source = Literal["labels", "scores"]


@HOOKS.register_module()
class AdaptiveAssignerHook(PseudoLabelAssignerHook):
    """A `PseudoLabelAssignerHook` whose thresholds are found anew for each class in each epoch.

    The distribution adaptor of Efficient Teacher (Xu et al., 2023). An epoch is one pass over the
    unlabeled images. At its end the scores that the teacher found in it give the thresholds of the
    next one; in the first one `low` and `high` rule.

    * `source="labels"`, as its paper has it after LabelMatch: with n_c boxes of class c expected
      from the labeled images, the best `reliable` * n_c are labels, those up to rank n_c uncertain.
    * `source="scores"`, as in the released code: a label is above the upper of two Gaussians. The
      uncertain ones are as many as the class had in an epoch on average, and 99 % at most.

    Args:
        low, high: Of a class without a score, and of all in the first epoch; the lower threshold is
            never below `low`.
        source: "labels" or "scores".
        reliable: The share of the expected boxes that are labels; for "labels".
        epoch: Unlabeled images of an epoch; None: as many as the training data have.
        sure, box, cls: As in `PseudoLabelAssignerHook`.

    Examples:
        >>> AdaptiveAssignerHook(reliable=0.5, epoch=1000).source  # thresholds every 1,000 images
        'labels'
        >>> AdaptiveAssignerHook(source="boxes")
        Traceback (most recent call last):
        ValueError: AdaptiveAssignerHook: source='boxes' is not one of ['labels', 'scores']
    """

    def __init__(
        self,
        low: float = 0.1,
        high: float = 0.6,
        *,
        source: Source = "labels",
        reliable: float = 0.6,
        epoch: int | None = None,
        sure: float = 0.99,
        box: bool = True,
        cls: bool = False,
    ) -> None:
        super().__init__(low, high, sure=sure, box=box, cls=cls)
        name = type(self).__name__
        check_choice(name, "source", source, Source)
        check_range(name, "reliable", reliable)
        if epoch is not None:
            check_range(name, "epoch", epoch, 1, float("inf"))
        self.source, self.reliable, self.epoch = source, reliable, epoch
        self.counts = LabelCounts()
        self.class_names: Sequence[str] = ()
        self.table: Tensor | None = None  # (2, C): upper and lower threshold
        self.totals = torch.zeros(0, dtype=torch.float64)  # scores of all epochs (C,)
        self.epochs = self.images = 0
        self._rows: list[Tensor] = []  # scores and classes of this epoch

    def before_train(self, runner: Any) -> None:
        """Count the boxes of the labeled images, and the unlabeled images."""
        super().before_train(runner)
        dataset = getattr(runner.train_dataloader, "dataset", None)
        self.counts.count(dataset, self.attached_model.num_classes)
        metainfo = getattr(dataset, "metainfo", None) or {}
        self.class_names = metainfo.get("classes") or ()
        if self.epoch is None:
            self.epoch = len(numbers_of(dataset, labeled=False)) or None

    def limits(self, boxes: PseudoBoxes) -> tuple[Tensor | float, Tensor | float]:
        """Those of the classes of the boxes."""
        if self.table is None:
            return super().limits(boxes)
        upper, lower = self.table.to(boxes.scores)[:, boxes.labels]
        return lower, upper

    def after_teacher(self, step: Step) -> None:
        """Remember the scores; at the end of an epoch find the thresholds."""
        if self.epoch is None:
            raise RuntimeError(
                f"{type(self).__name__}: the training data have no unlabeled images that could be "
                "counted (or none are known, in a plain PyTorch loop); set epoch=<images>"
            )
        if self.images >= self.epoch:
            self.fit(step)
        found = [torch.stack([b.scores, b.labels.to(b.scores)], 1) for b in step.pseudo_boxes]
        rows = gathered(torch.cat(found)).cpu()
        self._rows.append(rows[rows[:, 0] >= self.low])
        self.images += len(step.pseudo_boxes) * get_world_size()
        super().after_teacher(step)
        if self.table is not None:
            for prefix, values in zip(("threshold", "threshold_low"), self.table, strict=True):
                for number, value in enumerate(values.unbind()):
                    step.log[f"{prefix}/{self._name(number)}"] = value

    def fit(self, step: Step) -> None:
        """New thresholds from the scores of the epoch, which then begins anew."""
        classes = step.model.num_classes
        scores, labels = torch.cat([torch.zeros(0, 2), *self._rows]).unbind(1)
        labels = labels.long()
        found = torch.bincount(labels, minlength=classes)[:classes].double()
        self.totals = found if not len(self.totals) else self.totals + found
        self.epochs += 1
        if self.source == "scores":
            usual = self.totals / self.epochs
            pair = epoch_thresholds(scores, labels, usual, low=self.low, high=self.high)
        else:
            pair = self._by_labels(scores, labels, found)
        self.table = torch.stack(pair)
        self._rows, self.images = [], 0

    def after_loss(self, step: Step) -> None:
        """Count the labels of the batch, where the annotations could not be counted before."""
        if step.sup is not None:
            self.counts.add(step.sup, step.model.num_classes)

    def state_dict(self) -> dict[str, Any]:
        """The thresholds, and what the next ones come from."""
        state: dict[str, Any] = {
            "counts": self.counts.state_dict(),
            "totals": self.totals,
            "epochs": self.epochs,
            "images": self.images,
            "rows": torch.cat([torch.zeros(0, 2), *self._rows]),
        }
        if self.table is not None:
            state["table"] = self.table
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.counts.load_state_dict(state["counts"])
        self.totals, self.epochs, self.images = state["totals"], state["epochs"], state["images"]
        self._rows, self.table = [state["rows"]], state.get("table")

    def _by_labels(self, scores: Tensor, labels: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        counts = expected_counts(self.counts.labels, self.counts.amount, self.images)
        missing = len(found) - len(counts)  # no labeled image was seen yet
        counts = torch.cat([counts, counts.new_ones(max(missing, 0))])
        upper, lower = ranked_thresholds(
            scores, labels, counts, (self.reliable, 1.0), floor=self.low, default=self.high
        )
        return upper, lower.where(found > 0, self.low)

    def _name(self, number: int) -> str:
        return self.class_names[number] if number < len(self.class_names) else str(number)
