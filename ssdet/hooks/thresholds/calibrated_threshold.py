"""Thresholds that are measured on labeled images which the teacher was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.step import Step
from ...thresholds.calibration import (
    choose,
    counts_above,
    effective,
    moved,
    pooled_precision,
    score_grid,
)
from ...validation import check_range
from .._parts.held_out import HeldOutFold, Judged
from .threshold_hook import Limits, ThresholdHook

NONE = 1.01  # a threshold that no score reaches
FEW_IMAGES = 20


@HOOKS.register_module()
class CalibratedThresholdHook(ThresholdHook):
    """Keep the labels of each class that are right often enough on images held out for that.

    Every `interval` iterations the teacher labels the images that `held_out` of the
    `LabeledUnlabeledDataset` keeps out of the training. The threshold of a class is the lowest
    score above which at least `target` of its labels are right (boxes: IoU 0.5 with an object of
    the class that no better box has found). Not the share that was counted must reach it, but a
    bound that the true one exceeds with probability 1 - `risk`. For it, boxes of one image count
    less than independent ones, and a class with few labels is judged by the others as well. A
    class of which nothing passes gets the threshold 1.01: no label of it is learned.

    For boxes there are two more thresholds. What is right in at least the share `background` may be
    an object, and is ignored: neither object nor background. And only boxes of which `box_target`
    are well placed (IoU 0.75) teach coordinates; others teach their class alone.

    After the first fit a threshold moves half of the way, and by 0.1 at most. What is measured on n
    images is no guarantee for images of another kind.

    Args:
        target: Share of right labels above the threshold, for what is learned.
        background: The share below which boxes are background. 0: all that is not sure is ignored.
        box_target: The share of well-placed boxes; None: every learned box teaches coordinates.
        interval: Iterations between two fits.
        max_images: Held-out images that are looked at, in all processes together.
        risk: That the true share is below the bound. 0.5 is the middle instead of a bound.
        floor: Lowest threshold.
        default: Threshold where the teacher finds nothing on the held-out images.
        pipeline: Transforms of the held-out images, which should be those of the weak view with
            labels. None: those of the labeled images.

    Examples:
        >>> hook = CalibratedThresholdHook(target=0.9)
        >>> hook.limits(2, torch.device("cpu")).upper  # nothing is measured yet
        tensor([0.7000, 0.7000])
        >>> CalibratedThresholdHook(target=1.2)
        Traceback (most recent call last):
        ValueError: CalibratedThresholdHook: target=1.2 is not in [0, 1]
    """

    uncertain_as = "ignore"
    inclusive = True

    def __init__(
        self,
        target: float = 0.8,
        *,
        background: float = 0.3,
        box_target: float | None = 0.5,
        interval: int = 500,
        max_images: int = 500,
        risk: float = 0.1,
        floor: float = 0.3,
        default: float = 0.7,
        pipeline: Sequence[Any] | None = None,
    ) -> None:
        name = type(self).__name__
        shares = dict(target=target, background=background, floor=floor, default=default, risk=risk)
        for key, share in shares.items():
            check_range(name, key, share)
        if box_target is not None:
            check_range(name, "box_target", box_target)
        if background > target:
            raise ValueError(f"{name}: background={background} is above target={target}")
        for key, count in dict(interval=interval, max_images=max_images).items():
            check_range(name, key, count, 1, float("inf"))
        self.target, self.background, self.box_target = target, background, box_target
        self.interval, self.max_images, self.risk = interval, max_images, risk
        self.floor, self.default, self.pipeline = floor, default, pipeline
        self.fold: HeldOutFold | None = None
        self.fitted_at = -1
        self.table: dict[str, Tensor] = {}  # thresholds (C,): "upper", "lower", "box"

    # ------------------------------------------------------------------ hook points

    def before_train(self, runner: Any) -> None:
        """Find the held-out images."""
        super().before_train(runner)
        name = type(self).__name__
        self.fold = HeldOutFold.of_runner(name, runner, self.pipeline, self.max_images)
        count = min(len(self.fold.numbers), self.max_images)
        if count < FEW_IMAGES:
            print_log(
                f"{name}: {count} held-out images are few, so rare classes are judged by the "
                f"others; {FEW_IMAGES} or more would say more",
                logger="current",
                level=30,
            )

    def observe(self, step: Step) -> None:
        """Measure the teacher when due."""
        if self.fold is None:
            raise RuntimeError(
                f"{type(self).__name__}: without a runner there are no held-out images; use "
                "FixedThresholdHook in a plain PyTorch loop"
            )
        if self.fitted_at < 0 or step.iteration - self.fitted_at >= self.interval:
            self.fit(step, self.fold.judged(step.model, step.iteration))

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The thresholds as they were measured last."""
        upper, lower = (self._thresholds(name, classes, device) for name in ("upper", "lower"))
        return Limits(upper, lower if "lower" in self.table else None)

    def filter_boxes(self, step: Step, image: int, limits: Limits) -> None:
        """Filter, after taking the coordinates of boxes that may be badly placed."""
        boxes = step.pseudo_boxes[image]
        if "box" in self.table:
            limit = self._thresholds("box", len(limits.upper), boxes.scores.device)
            boxes.weight_box = boxes.weight_box * (boxes.scores >= limit[boxes.labels])
        super().filter_boxes(step, image, limits)

    def state_dict(self) -> dict[str, Any]:
        """The thresholds, and when they were measured."""
        return {"table": self.table, "fitted_at": self.fitted_at} if self.fitted_at >= 0 else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.table, self.fitted_at = dict(state["table"]), state["fitted_at"]

    # ------------------------------------------------------------------ the measurement

    def fit(self, step: Step, judged: Judged) -> None:
        """New thresholds from what is right on the held-out images."""
        self.fitted_at = step.iteration
        if not len(judged.scores):
            print_log(
                f"{type(self).__name__}: the teacher finds nothing on the held-out images; the "
                "thresholds stay as they are",
                logger="current",
                level=30,
            )
            return
        grid = score_grid(judged.scores, judged.labels, truths=judged.truths)
        measured = _Measured(judged, judged.right, grid, self.risk)
        upper = measured.choose(measured.bounds, self.target)
        found = {"upper": upper.clamp(min=self.floor)}
        if not judged.pixels:
            low = measured.choose(measured.means, self.background)
            # Where even the best are wrong, they are no reason to call an object background.
            found["lower"] = torch.minimum(low.clamp(max=float(grid[-1])), found["upper"])
            if self.box_target is not None:
                placed = _Measured(judged, judged.placed, grid, self.risk)
                found["box"] = placed.choose(placed.means, self.box_target)
        self.table = {name: moved(self.table.get(name), new) for name, new in found.items()}
        self._tell(step, judged, measured, grid)

    def _thresholds(self, name: str, classes: int, device: torch.device) -> Tensor:
        if name not in self.table:
            return torch.full((classes,), self.default, device=device)
        return self.table[name].to(device).nan_to_num(posinf=NONE)

    def _tell(self, step: Step, judged: Judged, measured: _Measured, grid: Tensor) -> None:
        """One line in the log, and the numbers of each class."""
        told = []
        for number, limit in enumerate(self.table["upper"].tolist()):
            name = self.class_name(number)
            bounds = measured.bounds[number]
            best = int(bounds.argmax()) if limit > NONE else int((grid < limit - 1e-6).sum())
            place = min(best, len(grid) - 1)
            right, count = (int(one[number, place]) for one in (measured.right, measured.labels))
            bound = float(bounds[place])
            step.log[f"calibration/{name}/labels"] = count
            step.log[f"calibration/{name}/right"] = right
            step.log[f"calibration/{name}/bound"] = bound
            where = f"{limit:.2f}" if limit < NONE else f"none, at best {float(grid[place]):.2f}"
            told.append(f"{name} {where} ({right} of {count} right, at least {bound:.2f})")
        prior = float(measured.strengths.median())
        print_log(
            f"Thresholds of a precision of {self.target} after iteration {step.iteration}, from "
            f"{len(self.fold.numbers) if self.fold else 0} held-out images: {', '.join(told)}; the "
            f"other classes count as {prior:.0f} labels",
            logger="current",
        )


class _Measured:
    """The precision of each class above each threshold of a grid, counted and bounded."""

    def __init__(self, judged: Judged, right: Tensor, grid: Tensor, risk: float) -> None:
        classes = len(judged.truths)
        self.right, self.labels, images = counts_above(
            judged.scores, judged.labels, right, judged.images, grid, classes
        )
        # Of pixels an image has thousands, which are worth one.
        alike = {"correlation": 1.0} if judged.pixels else {}
        hits, self.counts = effective(self.right, self.labels, images, **alike)
        self.means, self.bounds, self.strengths = pooled_precision(hits, self.counts, risk=risk)
        self.grid = grid

    def choose(self, bounds: Tensor, target: float) -> Tensor:
        """The lowest threshold of each class at which these bounds reach the target."""
        return choose(bounds, self.means, self.counts, self.grid, target)
