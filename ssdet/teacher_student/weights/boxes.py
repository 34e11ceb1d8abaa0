"""Weights and regions of an image, and how they reach the assigned priors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

# What a mixin calls by `super()` is known only when it is put in front of a class of MMDetection.
Mixin: Any = object

REGIONS, BACKGROUND, MAX_STAGE = "ignore_regions", "background_weight", "max_stage"
MASK = "weight_mask"
AS_BACKGROUND = "as_background"
# A negative box is ignored if more than this share of it lies in one region.
COVERED = 0.5


@dataclass(eq=False)
class BoxWeights:
    """Weights of boxes (or of the positives assigned to them) and of the background.

    `regions` (K, 4) are the regions in which negatives are ignored. `max_stage` is how many stages
    of a cascade learn each box; None: all. `soft` is the score that RTMDet learns for the class of
    a box that is not `classified`, -1 for the others; None: all are. `mask` are factors on the
    losses of masks; None: 1.
    """

    cls: Tensor
    box: Tensor
    background: float
    regions: Tensor
    max_stage: Tensor | None = None
    soft: Tensor | None = None
    mask: Tensor | None = None

    @classmethod
    def of(cls, gt_instances: InstanceData) -> BoxWeights | None:
        """The weights in a sample of `with_box_weights`; None if its batch has none."""
        regions = gt_instances.get(REGIONS)
        if regions is None:
            return None
        background = gt_instances.get(BACKGROUND)
        weights = gt_instances.weight_cls, gt_instances.weight_box
        soft = None
        if "classified" in gt_instances:
            scores = gt_instances.get("scores", torch.ones_like(weights[0]))
            soft = scores.to(weights[0]).masked_fill(gt_instances.classified, -1.0)
        extra = gt_instances.get(MAX_STAGE), soft, gt_instances.get(MASK)
        return cls(*weights, background, regions, *extra)

    def at(self, boxes: Tensor) -> BoxWeights:
        """The same for positives, given the box that each is assigned to."""
        optional = (self.max_stage, self.soft, self.mask)
        extra = [None if field is None else field[boxes] for field in optional]
        own = self.cls[boxes], self.box[boxes]
        return BoxWeights(*own, self.background, self.regions, *extra)

    @property
    def masks(self) -> Tensor:
        """Weights of the losses of masks: those of the boxes, times their own."""
        return self.box if self.mask is None else self.box * self.mask

    def in_stage(self, stage: int) -> BoxWeights:
        """The same in a stage (from 0): weight 0 where `max_stage` is not above it."""
        if self.max_stage is None:
            return self
        learned = self.max_stage > stage
        return replace(self, cls=self.cls * learned, box=self.box * learned)

    def spread(self, positive: Tensor, ignored: Tensor) -> Tensor:
        """Classification weights (P,) of all priors of the image; self is at the positives."""
        weights = self.cls.new_full(positive.shape, self.background)
        weights[ignored] = 0.0
        weights[positive] = self.cls
        return weights


def complete(weights: Iterable[BoxWeights | None]) -> list[BoxWeights]:
    """The weights of all images of a batch; nothing if the batch has none."""
    found = list(weights)
    present = [w for w in found if w is not None]
    return present if len(present) == len(found) else []


def with_box_weights(samples: list[Any]) -> list[Any]:
    """Samples with everything in `gt_instances`, since some heads receive nothing else.

    The samples themselves if there are no weights or regions, copies otherwise.
    """
    weighted = any(_has_weights(s) for s in samples)
    return [_with_box_weights(s) for s in samples] if weighted else samples


def leave_to_detector(ignored: InstanceData) -> None:
    """Treat these boxes to ignore as MMDetection does: mostly as background."""
    ignored.set_metainfo({AS_BACKGROUND: True})


def regions_of(sample: Any) -> Tensor | None:
    """The regions (K, 4) of a sample in which negatives are ignored; None where it has none."""
    ignored = sample.get("ignored_instances")
    if ignored is None or ignored.get(AS_BACKGROUND, False) or not len(ignored):
        return None
    return get_box_tensor(ignored.bboxes)


def _has_weights(sample: Any) -> bool:
    keys = ("weight_cls", "weight_box", MASK, BACKGROUND)
    return regions_of(sample) is not None or any(k in sample.gt_instances for k in keys)


def _with_box_weights(sample: Any) -> Any:
    sample = sample.new()
    boxes = sample.gt_instances.new()
    corners = get_box_tensor(boxes.bboxes)
    for name in ("weight_cls", "weight_box", *([MASK] if MASK in boxes else [])):
        weight = boxes.get(name, corners.new_ones(len(corners)))
        boxes[name] = torch.as_tensor(weight, dtype=torch.float32, device=corners.device).detach()
    found = regions_of(sample)
    regions = corners.new_zeros(0, 4) if found is None else found
    boxes.set_metainfo({REGIONS: regions.detach(), BACKGROUND: float(boxes.get(BACKGROUND, 1.0))})
    sample.gt_instances = boxes
    return sample


def covered(boxes: Tensor, regions: Tensor) -> Tensor:
    """Which boxes (P, 4) lie in a region with more than half of their area."""
    if not len(regions):
        return boxes.new_zeros(len(boxes), dtype=torch.bool)
    return (bbox_overlaps(boxes, regions.to(boxes), mode="iof") > COVERED).any(1)


def inside(points: Tensor, regions: Tensor) -> Tensor:
    """Which points (P, 2) lie inside of a region."""
    x, y = points[:, :1], points[:, 1:2]
    within = (x > regions[:, 0]) & (x < regions[:, 2]) & (y > regions[:, 1]) & (y < regions[:, 3])
    return within.any(1)


class JudgedPriors(Mixin):
    """A head whose priors or queries a hook may weight one by one, within `judged_priors`."""

    # Given the classification weights (B, P) by boxes and regions: those to use instead.
    judge: Callable[[Tensor], Tensor] | None = None

    def judged(self, cls: Tensor) -> Tensor:
        """The weights (B, P), as a hook wants them."""
        return cls if self.judge is None else self.judge(cls)


@contextmanager
def judged_priors(head: Any, judge: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """`judge` changes the classification weights (B, P) of a head's priors or queries within it.

    The order is that of the head: levels one after the other, or queries. A DETR calls it for each
    decoder layer. No normalizer sees the weights.
    """
    if not isinstance(head, JudgedPriors):
        raise TypeError(
            f"the priors of a {type(head).__name__} cannot be weighted singly; those of anchor, "
            "FCOS and DETR heads can"
        )
    head.judge = judge
    try:
        yield
    finally:
        del head.judge


class WeighedDetector(Mixin):
    """A detector whose `loss` passes weights and regions to all of its heads."""

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> Any:
        """As in the base class."""
        return super().loss(batch_inputs, with_box_weights(batch_data_samples))


class Recorded(Mixin):
    """An assigner or sampler that remembers its results within `recording`."""

    results: list[Any] | None = None

    def remember(self, result: Any) -> Any:
        """The result itself."""
        if self.results is not None:
            self.results.append(result)
        return result


@contextmanager
def recording(source: Recorded) -> Iterator[list[Any]]:
    """The results of an assigner or sampler, one for each image it processed."""
    results: list[Any] = []
    source.results = results
    try:
        yield results
    finally:
        source.results = None


class IgnoringAssigner(Recorded):
    """An assigner after which ignored negatives (0) are neither positive nor negative (-1)."""

    def assign(self, pred_instances: InstanceData, *args: Any, **kwargs: Any) -> Any:
        """As in the base class."""
        result = super().assign(pred_instances, *args, **kwargs)
        for boxes in (*args, *kwargs.values()):
            regions = boxes.get(REGIONS) if isinstance(boxes, InstanceData) else None
            if regions is not None and len(regions):
                ignored = (result.gt_inds == 0) & self.ignores(pred_instances, regions)
                result.gt_inds[ignored] = -1
                result.ignored = int(ignored.sum())
        return self.remember(result)

    def ignores(self, predictions: InstanceData, regions: Tensor) -> Tensor:
        """Which predictions lie in a region: anchors and proposals, or else predicted boxes."""
        name = "priors" if "priors" in predictions else "bboxes"
        return covered(get_box_tensor(predictions[name]), regions)


class IgnoringPointAssigner(IgnoringAssigner):
    """The same for priors that are points: (x, y) or (x, y, stride, stride)."""

    def ignores(self, predictions: InstanceData, regions: Tensor) -> Tensor:
        """Which points lie in a region."""
        return inside(predictions.priors, regions)


class WeighingSampler(Recorded):
    """A sampler whose results have, as `weights`, the `BoxWeights` at their positives.

    `missing` is how many more negatives it would have drawn if none had been ignored.
    """

    def sample(
        self, assign_result: Any, pred_instances: Any, gt_instances: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """As in the base class."""
        result = super().sample(assign_result, pred_instances, gt_instances, *args, **kwargs)
        if isinstance(result, SamplingResult):
            weights = BoxWeights.of(gt_instances)
            result.weights = weights and weights.at(result.pos_assigned_gt_inds.long())
            self._count_missing(result, getattr(assign_result, "ignored", 0))
        return self.remember(result)

    def _count_missing(self, result: SamplingResult, ignored: int) -> None:
        positives, negatives = len(result.pos_inds), len(result.neg_inds)
        # PseudoSampler has no number: it takes all there is, and counts positives alone.
        wanted: int = getattr(self, "num", 0) - positives
        most = getattr(self, "neg_pos_ub", -1)
        if most >= 0:
            wanted = min(wanted, int(most * max(positives, 1)))
        result.room = max(wanted - negatives, 0)
        result.missing = min(ignored, result.room)
