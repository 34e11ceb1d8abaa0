"""Dense heads: one prior at each place of the feature maps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .boxes import BoxWeights, JudgedPriors, Mixin, complete, inside, recording
from .losses import queue_weights

TINY = 1e-6
NO_LOSS = -50.0  # a logit whose quality focal loss as background, and its gradient, are 0


def nonempty(weights: Iterable[Tensor]) -> list[Tensor]:
    """Heads do not call a loss for a level (or a batch) without positives."""
    return [w for w in weights if len(w)]


def levels_first(values: Tensor, sizes: list[int]) -> Tensor:
    """(images, points, ...) as (N, ...): levels one after the other, and in them the images."""
    return torch.cat([level.flatten(0, 1) for level in values.split(sizes, 1)])


class AnchorTargets(JudgedPriors):
    """AnchorHead (RetinaNet, RPN): every loss is called once for a level, with all anchors."""

    # Place of the labels in what `get_targets` returns, and how often a box loss sees a positive.
    labels_at = 0
    cls_losses: ClassVar[tuple[str, ...]] = ("loss_cls",)
    box_losses: ClassVar[dict[str, int]] = {"loss_bbox": 1}
    positives_only = False

    def get_targets(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class."""
        with recording(self.sampler) as results:
            targets = super().get_targets(*args, **kwargs)
        weights = complete(result.weights for result in results)
        cls, box = self.by_level(targets[self.labels_at], weights) if weights else (None, None)
        if box and any(result.missing for result in results):
            # The RPN divides by the number of sampled anchors: with regions to ignore, by what it
            # would be without them.
            counted = sum(result.avg_factor for result in results)
            full = sum(r.num_pos + max(len(r.neg_inds) + r.missing, 1) for r in results)
            box = [w * (counted / full) for w in box]
        for name in self.cls_losses:
            queue_weights(getattr(self, name), cls)
        for name, times in self.box_losses.items():
            queue_weights(getattr(self, name), box and [w.repeat_interleave(times) for w in box])
        return targets

    def by_level(
        self, labels: list[Tensor], weights: list[BoxWeights]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Weights of classification and box for each level, images one after the other.

        Labels come as (images, priors) for each level, positives of an image in the order in which
        they were sampled.
        """
        sizes = [level.shape[1] for level in labels]
        flat = torch.cat(labels, 1)
        positive = (flat >= 0) & (flat < self.num_classes)
        background = weights[0].cls.new_tensor([w.background for w in weights])
        cls = background[:, None].repeat(1, flat.shape[1])
        cls[positive] = torch.cat([w.cls for w in weights])
        cls = self.judged(cls)
        box = torch.ones_like(cls)
        box[positive] = torch.cat([w.box for w in weights])
        boxes = [level.flatten() for level in box.split(sizes, 1)]
        if self.positives_only:
            chosen = [level.flatten() for level in positive.split(sizes, 1)]
            boxes = nonempty(b[p] for b, p in zip(boxes, chosen, strict=True))
        return [level.flatten() for level in cls.split(sizes, 1)], boxes


class ATSSTargets(AnchorTargets):
    """ATSSHead: box losses are called for levels with positives, with these alone."""

    labels_at = 1
    box_losses: ClassVar[dict[str, int]] = {"loss_bbox": 1, "loss_centerness": 1}
    positives_only = True


class GFLTargets(ATSSTargets):
    """GFLHead: the distribution loss sees the four sides of a box."""

    box_losses: ClassVar[dict[str, int]] = {"loss_bbox": 1, "loss_dfl": 4}


class RTMDetTargets(ATSSTargets):
    """RTMDetHead: no centerness.

    Where a field `classified` (N,) of the boxes is false, their points learn the box's score for
    its class and nothing about the other classes. They do not count in what the losses are divided
    by.
    """

    box_losses: ClassVar[dict[str, int]] = {"loss_bbox": 1}

    def get_targets(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class."""
        self._soft: deque[Tensor] = deque()  # for each level (images, points); -1: not soft
        targets = super().get_targets(*args, **kwargs)
        for metrics, soft in zip(targets[4] if self._soft else (), self._soft, strict=True):
            metrics.copy_(soft.where(soft >= 0, metrics))
        return targets

    def by_level(
        self, labels: list[Tensor], weights: list[BoxWeights]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """As in the base class."""
        if any(w.soft is not None for w in weights):
            flat = torch.cat(labels, 1)
            soft = weights[0].cls.new_full(flat.shape, -1.0)
            known = [torch.full_like(w.cls, -1.0) if w.soft is None else w.soft for w in weights]
            soft[(flat >= 0) & (flat < self.num_classes)] = torch.cat(known)
            self._soft.extend(soft.split([level.shape[1] for level in labels], 1))
        return super().by_level(labels, weights)

    def loss_by_feat_single(
        self, cls_score: Tensor, bbox_pred: Tensor, labels: Tensor, *targets: Any
    ) -> Any:
        """As in the base class; called for one level after the other."""
        if not self._soft:
            return super().loss_by_feat_single(cls_score, bbox_pred, labels, *targets)
        unsure = self._soft.popleft() >= 0
        scores = cls_score.permute(0, 2, 3, 1)
        others = labels[..., None] != torch.arange(scores.shape[-1], device=labels.device)
        nothing = (unsure[..., None] & others).view(scores.shape)
        scores = scores.masked_fill(nothing, NO_LOSS).permute(0, 3, 1, 2)
        cls, box, *counted = super().loss_by_feat_single(scores, bbox_pred, labels, *targets)
        *_, metrics, _ = targets  # weights, boxes, overlaps, stride
        soft = (metrics * unsure).sum()
        return cls, box, *(count - soft for count in counted)


class TOODTargets(ATSSTargets):
    """TOODHead: one classification loss for the first epochs, another one afterwards."""

    box_losses: ClassVar[dict[str, int]] = {"loss_bbox": 1}
    cls_losses: ClassVar[tuple[str, ...]] = ("loss_cls", "initial_loss_cls")


class FCOSTargets(JudgedPriors):
    """FCOSHead: no assigner, and one call of each loss for all levels together."""

    # The weights (N,) at all points of the last targets; None: they are all 1.
    cls_weights: Tensor | None = None
    box_weights: Tensor | None = None

    def get_targets(self, points: list[Tensor], batch_gt_instances: list[InstanceData]) -> Any:
        """As in the base class."""
        self._images: list[tuple[Tensor, Tensor, Tensor]] = []
        targets = super().get_targets(points, batch_gt_instances)
        if not self._images:
            self.cls_weights = self.box_weights = None
            for loss in (self.loss_cls, self.loss_bbox, self.loss_centerness):
                queue_weights(loss, None)
            return targets
        sizes = [len(level) for level in points]
        cls, box, positive = (torch.stack(field) for field in zip(*self._images, strict=True))
        cls, box, positive = (
            levels_first(field, sizes) for field in (self.judged(cls), box, positive)
        )
        self.cls_weights, self.box_weights = cls, box
        queue_weights(self.loss_cls, [cls])
        queue_weights(self.loss_bbox, nonempty([box[positive]]))
        queue_weights(self.loss_centerness, nonempty([box[positive]]))
        return targets

    def _get_targets_single(
        self, gt_instances: InstanceData, points: Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        """As in the base class."""
        weights = BoxWeights.of(gt_instances)
        if weights is None:
            return super()._get_targets_single(gt_instances, points, *args, **kwargs)
        targets, positive, assigned = self.numbered_targets(gt_instances, points, *args, **kwargs)
        found = weights.at(assigned)
        cls = found.spread(positive, inside(points, weights.regions))
        box = torch.ones_like(cls)
        box[positive] = found.box
        self._images.append((cls, box, positive))
        self.assigned(gt_instances, positive, assigned)
        return targets

    def numbered_targets(
        self, boxes: InstanceData, points: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Any, Tensor, Tensor]:
        """Targets of an image, which points are positive (a mask), and the box of each of these.

        Negative numbers passed as labels identify the boxes.
        """
        classes = boxes.labels
        numbers = -1 - torch.arange(len(classes), device=classes.device)
        numbered = InstanceData(bboxes=boxes.bboxes, labels=numbers)
        labels, targets = super()._get_targets_single(numbered, points, *args, **kwargs)
        positive = labels < 0
        assigned = -1 - labels[positive]
        labels[positive] = classes[assigned].to(labels)
        return (labels, targets), positive, assigned

    def assigned(self, boxes: InstanceData, positive: Tensor, numbers: Tensor) -> None:
        """Called for each image: which points (a mask) have which box; for heads that want more."""


class YOLOXTargets(Mixin):
    """YOLOXHead: objectness of all points, the other losses of the positives, all levels at once.

    Objectness is classification: is there something? A field `soft_objectness` (N,) of the boxes is
    its target at their points, in place of 1; a field `classified` (N,), whether they learn the
    class, and count in what the losses are divided by. The images are assigned one after the other,
    and the assigner is not called where there is no box.
    """

    def loss_by_feat(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class."""
        self._images: list[tuple[Tensor, Tensor, Tensor]] = []
        self._queue_weights(None, None, None)
        return super().loss_by_feat(*args, **kwargs)

    def _get_targets_single(
        self,
        priors: Tensor,
        cls_preds: Tensor,
        decoded_bboxes: Tensor,
        objectness: Tensor,
        gt_instances: InstanceData,
        *args: Any,
    ) -> Any:
        """As in the base class."""
        with recording(self.sampler) as results:
            targets = super()._get_targets_single(
                priors, cls_preds, decoded_bboxes, objectness, gt_instances, *args
            )
        soft = gt_instances.get("soft_objectness")
        if soft is not None and results:
            assigned = soft[results[0].pos_assigned_gt_inds.long()]
            targets[2][targets[0]] = assigned[:, None].to(targets[2])
        weights = BoxWeights.of(gt_instances)
        if weights is not None:
            found = results[0].weights if results else weights
            centers = priors[:, :2] + priors[:, 2:] * 0.5
            everywhere = found.spread(targets[0], inside(centers, weights.regions))
            cls = found.cls
            if results and "classified" in gt_instances:
                learned = gt_instances.classified[results[0].pos_assigned_gt_inds.long()]
                cls = cls * learned
                # Not 0 where a prior has a box: YOLOX would leave out the box losses, too.
                count = max(targets[-1] - int((~learned).sum()), TINY if len(learned) else 0)
                targets = (*targets[:-1], count)
            self._images.append((everywhere, cls, found.box))
            fields = [torch.cat(field) for field in zip(*self._images, strict=True)]
            self._queue_weights([fields[0]], nonempty(fields[1:2]), nonempty(fields[2:]))
        return targets

    def _queue_weights(self, everywhere: Any, cls: Any, box: Any) -> None:
        queue_weights(self.loss_obj, everywhere)
        queue_weights(self.loss_cls, cls)
        queue_weights(self.loss_bbox, box)
        queue_weights(self.loss_l1, box)
