"""Dynamic dual thresholds: high, ambiguous and low pseudo labels, fitted on labeled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import areas
from ...teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step, Views
from ...thresholds.two_means import DualThreshold, Fallback, levels
from ...validation import check_choice, check_pair, check_range
from .._parts.criteria import (
    Criteria,
    Criterion,
    Pools,
    Values,
    box_pools,
    highest_overlaps,
    merged,
    pixel_pools,
)
from .._parts.labeled_pass import LabeledPass
from .._parts.second_view import SecondView
from .threshold_hook import Labels, Limits, ThresholdHook

LowMode = Literal["ignore", "erase", "background"]
# The (high, low) of HSSDA for a class with too few true positives.
DEFAULTS = {"confidence": (0.99, 0.99), "objectness": (0.95, 0.95), "consistency": (0.93, 0.93)}
PIXELS_PER_IMAGE = 2000  # of each class
ERASED_AREA = 0.25  # share of the image; what is larger is ignored instead


@HOOKS.register_module()
class DualThresholdHook(ThresholdHook):
    """Two thresholds for each class and criterion, fitted to the teacher's true positives.

    HSSDA (Liu et al., CVPR 2023) in two dimensions. Every `interval` iterations the teacher labels
    `max_images` labeled images; the values of its true positives (IoU >= 0.5 with an object of
    their class; correct pixels) are split in two by two-means, for each class and each criterion:
    the upper center is the high threshold, the lower one the low threshold.

    A pseudo label above all high thresholds of its class is of level HIGH with weight 1; above all
    low ones it is AMBIGUOUS, with the product of `soft` as weight; else it is low. A criterion
    that the model lacks is left out. Of the low boxes, those with a score above `low_score` that
    overlap no better one by more than `max_overlap` are, by `low_mode`: regions without any loss
    ("ignore"), gray boxes in the strong view ("erase", up to a quarter of it; larger ones are
    ignored), or nothing ("background"). Low pixels have weight 0.

    The labeled images come through the pipeline of the training (its view `sup`) unless `labeled`
    names another dataset, held out or with weaker views. Where no data are known (a plain PyTorch
    loop), or with `online`, the teacher labels the labeled images of each batch in one more
    pass. Then the last `memory` values of each class are kept.

    Args:
        interval: Iterations between two fits.
        max_images: Labeled images for a fit, in all processes together.
        criteria: Of "confidence", "objectness", "consistency"; see `Criteria` for what they are.
        second_view: `dict(flip=True, scale=1.0)`: how the view for the consistency is made, which
            costs a second pass of the teacher.
        soft: Criteria whose product is the weight of an ambiguous label.
        defaults: (high, low) of criteria, for classes with fewer than `min_samples` true positives.
        fallback: What such a class takes: "default", "global_pool" or "mean_of_classes".
        min_samples, clip, momentum: See `DualThreshold`.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> hook = DualThresholdHook(criteria=["confidence"], defaults={"confidence": (0.9, 0.5)})
        >>> step = take_step(detector(), hook)  # no true positives yet: the defaults
        >>> step.log["threshold/0"], step.log["threshold_low/0"]
        (tensor(0.9000), tensor(0.5000))
        >>> DualThresholdHook(low_mode="hide")
        Traceback (most recent call last):
        ValueError: DualThresholdHook: low_mode='hide' is not one of ['ignore', ...
    """

    def __init__(
        self,
        *,
        interval: int = 2000,
        max_images: int = 200,
        criteria: Sequence[Criterion] = ("confidence", "objectness"),
        second_view: Mapping[str, Any] | None = None,
        soft: Sequence[Criterion] = ("confidence", "objectness"),
        defaults: Mapping[str, Sequence[float]] | None = None,
        fallback: Fallback = "default",
        min_samples: int = 3,
        clip: Sequence[float] = (0.0, 0.99),
        momentum: float = 0.0,
        low_mode: LowMode = "ignore",
        low_score: float = 0.1,
        max_overlap: float = 0.0,
        labeled: dict[str, Any] | None = None,
        online: bool = False,
        memory: int = 1000,
    ) -> None:
        name = type(self).__name__
        for key, count in dict(interval=interval, max_images=max_images, memory=memory).items():
            check_range(name, key, count, 1, float("inf"))
        check_range(name, "min_samples", min_samples, 2, float("inf"))
        check_range(name, "momentum", momentum)
        check_range(name, "low_score", low_score)
        check_range(name, "max_overlap", max_overlap)
        check_choice(name, "fallback", fallback, Fallback)
        check_choice(name, "low_mode", low_mode, LowMode)
        second = None if second_view is None else SecondView.of(name, second_view)
        self.criteria = Criteria(_checked_names(name, criteria, second), second)
        self.soft = [one for one in soft if one in criteria]
        own = _checked_defaults(name, defaults or {})
        bounds = check_pair(name, "clip", clip)
        self.fits = {
            key: DualThreshold(
                default=own[key], min_samples=min_samples, clip=bounds, momentum=momentum
            )
            for key in self.criteria.names
        }
        self.interval, self.max_images, self.memory = interval, max_images, memory
        self.fallback, self.low_mode = fallback, low_mode
        self.low_score, self.max_overlap = low_score, max_overlap
        self.labeled, self.online = labeled, online
        self.images: LabeledPass | None = None
        self.table: dict[str, Tensor] = {}
        self.fitted_at = -1
        self._pools: Pools = {}
        self.needs = self.criteria.needs
        self._values: dict[int, Values] = {}

    # ------------------------------------------------------------------ hook points

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse low modes of boxes for pixels, whose low labels have weight 0."""
        super().on_attach(model)
        if isinstance(model, TeacherStudentSegmentor) and self.low_mode != "ignore":
            raise ValueError(
                f"{type(self).__name__}: low_mode={self.low_mode!r} is for boxes; low pixels of a "
                f"{type(model).__name__} have weight 0. Set low_mode='ignore'"
            )

    def before_train(self, runner: Any) -> None:
        """Find the labeled images."""
        super().before_train(runner)
        if not self.online:
            owner = type(self).__name__
            self.images = LabeledPass.of(owner, self.labeled, runner, self.max_images)

    def observe(self, step: Step) -> None:
        """Fit the thresholds if due, and measure the new labels."""
        model = step.model
        if self.images is None and step.sup is not None:
            self._pools = self._remembered(self._judged(model, step.sup))
        if not self.table or step.iteration - self.fitted_at >= self.interval:
            self.fit(model, step)
        pseudo = step.pseudo
        if isinstance(pseudo, PixelLabels):
            values = self.criteria.of_pixels(model, step.weak_views, pseudo)
            self._values = {id(pseudo): values}
            return
        boxes = step.pseudo_boxes
        measured = self.criteria.of_boxes(model, step.weak_views, boxes)
        self._values = {id(one): v for one, v in zip(boxes, measured, strict=True)}

    def before_student(self, step: Step) -> None:
        """Paint over low boxes."""
        if self.low_mode == "erase":
            for name, views in step.strong.items():
                views.inputs = views.inputs.clone()
                for image, target in zip(views.inputs, step.targets[name], strict=True):
                    share = _erase(image, target) / len(views.inputs)
                    step.count("dual_threshold/erased", share)

    # ------------------------------------------------------------------ thresholds

    def fit(self, model: TeacherStudent, step: Step) -> None:
        """New thresholds from the labeled images of all processes."""
        classes = self.num_classes or 0
        pools = self._pools
        if self.images is not None:
            moment = step.iteration
            found = [self._judged(model, one) for one in self.images.views(model, moment)]
            pools = merged(found, classes)
        pools = merged(all_gather_object(pools), classes)
        empty = [torch.zeros(0)] * classes
        self.table = {
            name: fit.fit_classes(pools.get(name, empty), self.table.get(name), self.fallback)
            for name, fit in self.fits.items()
        }
        self.fitted_at = step.iteration
        right = sum(len(pool) for pool in pools.get("confidence", []))
        step.count("dual_threshold/true_positives", right)
        for name in (name for name in pools if name != "confidence"):
            for number, pair in enumerate(self.table[name].tolist()):
                label = self.class_name(number)
                step.log[f"threshold_{name}/{label}"] = pair[0]
                step.log[f"threshold_low_{name}/{label}"] = pair[1]

    def limits(self, classes: int, device: torch.device) -> Limits:
        """Those of the confidence, for the log."""
        high, low = self.table.get("confidence", torch.zeros(classes, 2)).to(device).unbind(1)
        return Limits(high, low)

    def grade(self, labels: Labels, limits: Limits) -> tuple[Tensor, Tensor]:
        """Above all high thresholds, and above all low ones only."""
        values = self._values[id(labels)]
        device = labels.scores.device
        high, low = [], []
        for name in values:
            # One row more than there are classes: nothing is above it (a pixel of label 255).
            table = torch.cat([self.table[name], torch.full((1, 2), torch.inf)]).to(device)
            pair = table[labels.labels.clamp(max=len(table) - 1)]
            high.append(pair[..., 0])
            low.append(pair[..., 1])
        found = levels(list(values.values()), high, low)
        return found == HIGH, found == AMBIGUOUS

    def soft_weights(self, labels: Labels) -> Tensor:
        """The product of the criteria in `soft`."""
        values = self._values[id(labels)]
        weight = torch.ones_like(labels.scores)
        for name in self.soft:
            weight = weight * values.get(name, torch.ones_like(weight))
        return weight

    def filter_boxes(self, step: Step, image: int, limits: Limits) -> None:
        """Set level and weights; keep low boxes where there may be an object."""
        boxes = step.pseudo_boxes[image]
        sure, unsure = self.grade(boxes, limits)
        weight = torch.where(unsure, self.soft_weights(boxes), 1.0)
        boxes.weight_cls, boxes.weight_box = boxes.weight_cls * weight, boxes.weight_box * weight
        trained = sure | unsure
        low = torch.zeros_like(sure)
        if self.low_mode != "background":
            low = ~trained & (boxes.scores > self.low_score)
            low &= highest_overlaps(boxes.bboxes, boxes.bboxes[trained]) <= self.max_overlap
        own = torch.where(sure, HIGH, torch.where(unsure, AMBIGUOUS, LOW))
        boxes.level = torch.minimum(boxes.level, own)
        for name, mask in dict(high=sure, ambiguous=unsure, low=low).items():
            step.count(f"dual_threshold/{name}", mask.sum() / len(step.pseudo_boxes))
        step.drop(image, ~(trained | low), "level")

    def weight_pixels(self, pixels: PixelLabels, limits: Limits) -> None:
        """As in the base class; labels of another step are cleared."""
        super().weight_pixels(pixels, limits)
        self._values = {}

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Thresholds, and the values kept for the next fit."""
        if not self.table:
            return {}
        return {"table": self.table, "fitted_at": self.fitted_at, "pools": self._pools}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the thresholds; with other criteria they are fitted at once."""
        if set(state["table"]) != set(self.criteria.names):
            found = f"the checkpoint has thresholds for {sorted(state['table'])}"
            print_log(f"{type(self).__name__}: {found}; all are fitted again", "current", 30)
            return
        self.table, self.fitted_at = dict(state["table"]), state["fitted_at"]
        self._pools = dict(state["pools"])

    # ------------------------------------------------------------------ labeled images

    @torch.no_grad()
    def _judged(self, model: TeacherStudent, views: Views) -> Pools:
        """The values of the teacher's true positives in labeled views."""
        classes = self.num_classes or 0
        found = model.label(views, needs=self.criteria.needs)
        if isinstance(found, PixelLabels):
            return self._judged_pixels(model, views, found)
        measured = self.criteria.of_boxes(model, views, found)
        pools = [
            box_pools(values, boxes, sample.gt_instances, classes)
            for values, boxes, sample in zip(measured, found, views.samples, strict=True)
        ]
        return merged(pools, classes)

    def _judged_pixels(self, model: TeacherStudent, views: Views, found: PixelLabels) -> Pools:
        values = self.criteria.of_pixels(model, views, found)
        classes = self.num_classes or 0
        pools = []
        for number, sample in enumerate(views.samples):
            one = found.map(lambda field, n=number: field[n : n + 1])
            own = {name: value[number : number + 1] for name, value in values.items()}
            truth = sample.gt_sem_seg.data[0]
            pools.append(pixel_pools(own, one, truth, classes, PIXELS_PER_IMAGE))
        return merged(pools, classes)

    def _remembered(self, new: Pools) -> Pools:
        pools = merged([self._pools, new], self.num_classes or 0)
        return {name: [values[-self.memory :] for values in own] for name, own in pools.items()}


def _checked_names(
    owner: str, criteria: Sequence[str], second: SecondView | None
) -> tuple[str, ...]:
    for name in criteria:
        check_choice(owner, "criteria", name, Criterion)
    if "confidence" not in criteria:
        raise ValueError(f"{owner}: criteria={list(criteria)} must contain 'confidence'")
    if ("consistency" in criteria) != (second is not None):
        raise ValueError(
            f"{owner}: 'consistency' in criteria and second_view=dict(flip=..., scale=...) go "
            "together: the second view is what consistency is measured with"
        )
    return tuple(criteria)


def _checked_defaults(
    owner: str, defaults: Mapping[str, Sequence[float]]
) -> dict[str, tuple[float, float]]:
    unknown = sorted(set(defaults) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"{owner}: defaults has {unknown}; the criteria are {list(DEFAULTS)}")
    own = {}
    for key, pair in defaults.items():
        if not (len(pair) == 2 and 1 >= pair[0] >= pair[1] >= 0):
            raise ValueError(
                f"{owner}: defaults[{key!r}]={pair!r} is not (high, low) with 1 >= high >= low >= 0"
            )
        own[key] = (float(pair[0]), float(pair[1]))
    return {**DEFAULTS, **own}


def _erase(image: Tensor, target: Any) -> int:
    """Paint over the ignored regions of a strong view that are small and alone; returns how many.

    0 is the mean of the data set after the preprocessor.
    """
    regions, kept = target.ignored_instances.bboxes, target.gt_instances.bboxes
    small = areas(regions) <= ERASED_AREA * image.shape[-2] * image.shape[-1]
    erased = small & (highest_overlaps(regions, kept.to(regions)) <= 0)
    for x1, y1, x2, y2 in regions[erased].round().long().tolist():
        image[:, y1:y2, x1:x2] = 0
    target.ignored_instances = target.ignored_instances[~erased]
    return int(erased.sum())
