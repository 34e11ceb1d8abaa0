"""Heads of proposals (two-stage detectors) and of queries (DETR and its descendants)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ..heads import box_heads
from .boxes import BoxWeights, JudgedPriors, Mixin, complete, covered, recording
from .dense import nonempty
from .losses import queue_weights


@dataclass
class ProposalTargets:
    """How a hook weights the sampled proposals (S,) of an image, its positives first.

    Attributes:
        weight: Factor on the classification loss; a proposal of weight 0 is not in its mean.
        soft: Probabilities (S, K + 1) to learn beside it, the background last.
        soft_weight: How much of them; None with `soft`: 1 - weight.
    """

    weight: Tensor
    soft: Tensor | None = None
    soft_weight: Tensor | None = None


class BBoxTargets(Mixin):
    """BBoxHead of Faster and Cascade R-CNN: sampled proposals, the positives of an image first."""

    # Given the sampling results: weights of the negatives of each image. None: all have weight 1.
    score_negatives: Callable[[list[Any]], list[Tensor]] | None = None
    # Given the same: weights and soft targets of all proposals of each image.
    judge: Callable[[list[Any]], list[ProposalTargets]] | None = None

    def loss_and_target(
        self, cls_score: Tensor, bbox_pred: Tensor, rois: Tensor, sampling_results: list[Any],
        *args: Any, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """As in the base class; without any proposal the loss is zero and not missing."""
        weights = complete(getattr(result, "weights", None) for result in sampling_results)
        scores = judged = None
        if not weights:
            queue_weights(self.loss_cls, None)
            queue_weights(self.loss_bbox, None)
        else:
            scores = self.score_negatives and self.score_negatives(sampling_results)
            cls = _with_negatives(weights, sampling_results, scores)
            judged = self.judge(sampling_results) if self.judge is not None else None
            if judged is not None:
                cls = cls * torch.cat([one.weight for one in judged])
            queue_weights(self.loss_cls, nonempty([cls]))
            # Box losses are divided by the number of sampled proposals: with regions to ignore, by
            # what it would be without them. A box weighs no more because of what may be elsewhere.
            missing = sum(getattr(result, "missing", 0) for result in sampling_results)
            share = len(rois) / max(len(rois) + missing, 1)
            box = torch.cat([found.box for found in weights]) * share
            queue_weights(self.loss_bbox, nonempty([box]))
        result = super().loss_and_target(
            cls_score, bbox_pred, rois, sampling_results, *args, **kwargs
        )
        losses = result["loss_bbox"]
        if cls_score is not None and not len(cls_score):
            losses.setdefault("loss_cls", cls_score.sum())
        elif scores is not None:
            # Soft Teacher divides by the sum of these weights; MMDetection has divided by a count.
            positives = sum(len(found.cls) for found in weights)
            counted = torch.cat(scores).sum() + positives
            losses["loss_cls"] = losses["loss_cls"] * len(cls_score) / counted.clamp(min=1.0)
        if judged is not None:
            _learn_softly(losses, cls_score, judged)
        return result


def _learn_softly(losses: dict[str, Tensor], logits: Tensor, judged: list[ProposalTargets]) -> None:
    """Means over the proposals that count: hard ones in `loss_cls`, soft ones in a second loss."""
    weight = torch.cat([one.weight for one in judged])
    if "loss_cls" in losses and len(logits):
        losses["loss_cls"] = losses["loss_cls"] * len(logits) / (weight > 0).sum().clamp(min=1)
    if any(one.soft is None for one in judged):
        return
    soft = torch.cat([one.soft for one in judged])  # type: ignore[misc]
    share = torch.cat([1 - o.weight if o.soft_weight is None else o.soft_weight for o in judged])
    entropy = -(soft * logits.float().log_softmax(-1)).sum(-1)
    losses["loss_cls_soft"] = (share * entropy).sum() / (share > 0).sum().clamp(min=1)


@contextmanager
def judged_proposals(
    roi_head: Any, judge: Callable[[int, list[Any]], list[ProposalTargets]]
) -> Iterator[None]:
    """Within the context, `judge` weights the sampled proposals and may give them soft targets.

    It is called in each stage with the sampling results of all images; it returns one for each.
    """
    heads = _known_heads(roi_head)
    for stage, head in enumerate(heads):
        head.judge = partial(judge, stage)
    try:
        yield
    finally:
        for head in heads:
            del head.judge


def _known_heads(roi_head: Any) -> list[Any]:
    return [head for head in box_heads(roi_head) if isinstance(head, BBoxTargets)]


def _with_negatives(
    weights: list[BoxWeights], results: list[Any], scores: list[Tensor] | None
) -> Tensor:
    """Classification weights of all proposals of a batch."""
    parts = []
    for image, (found, result) in enumerate(zip(weights, results, strict=True)):
        negatives = found.cls.new_full((len(result.neg_priors),), found.background)
        parts += [found.cls, negatives if scores is None else negatives * scores[image]]
    return torch.cat(parts)


@contextmanager
def scored_negatives(
    roi_head: Any, score: Callable[[int, list[Any]], list[Tensor]] | None
) -> Iterator[None]:
    """Within the context, negative proposals have the classification weights of `score`.

    It is called in each stage with the sampling results of all images, and the loss is divided by
    the sum of these weights and the number of positives. None: all negatives have weight 1.
    """
    known = _known_heads(roi_head)
    before = [head.score_negatives for head in known]
    for stage, head in enumerate(known):
        head.score_negatives = None if score is None else partial(score, stage)
    try:
        yield
    finally:
        for head, was in zip(known, before, strict=True):
            head.score_negatives = was


class CascadeLosses(Mixin):
    """CascadeRoIHead: it stops after a stage without any proposal (all ignored)."""

    _missing: list[int]

    def bbox_loss(self, stage: int, x: Any, sampling_results: list[Any]) -> Any:
        """As in the base class; from its `max_stage` on a box has weight 0, in masks too."""
        # What a stage did not sample is missing among the proposals of the next one too.
        before = self._missing if stage else [0] * len(sampling_results)
        for result, lost in zip(sampling_results, before, strict=True):
            weights = getattr(result, "weights", None)
            if weights is not None:
                result.weights = weights.in_stage(stage)
                result.missing = min(result.missing + lost, result.room)
        self._missing = [getattr(result, "missing", 0) for result in sampling_results]
        return super().bbox_loss(stage, x, sampling_results)

    def loss(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class; the loss of a stage that was left out is zero and not missing."""
        losses = super().loss(*args, **kwargs)
        heads = {"cls": self.bbox_head, "mask": self.mask_head if self.with_mask else ()}
        for name, stages in heads.items():
            for number, head in enumerate(stages):
                key = f"s{number}.loss_{name}"
                if key not in losses:
                    losses[key] = sum(p.sum() for p in head.parameters()) * 0.0
        return losses


class MaskTargets(Mixin):
    """FCNMaskHead: the positives of all images."""

    def loss_and_target(
        self, mask_preds: Tensor, sampling_results: list[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """As in the base class."""
        weights = complete(getattr(result, "weights", None) for result in sampling_results)
        if not weights:
            queue_weights(self.loss_mask, None)
        else:
            rows = torch.cat([found.masks for found in weights])
            queue_weights(self.loss_mask, nonempty([rows]))
        return super().loss_and_target(mask_preds, sampling_results, *args, **kwargs)


class MaskScoreTargets(Mixin):
    """MaskIoUHead: how good the masks of the positives are, with the weights of the masks."""

    def get_targets(self, sampling_results: list[Any], *args: Any, **kwargs: Any) -> Tensor:
        """As in the base class, which learns nothing from a mask without any overlap."""
        targets: Tensor = super().get_targets(sampling_results, *args, **kwargs)
        weights = complete(getattr(result, "weights", None) for result in sampling_results)
        rows = torch.cat([found.masks for found in weights])[targets > 0] if weights else None
        queue_weights(self.loss_iou, None if rows is None else nonempty([rows]))
        return targets


class QueryTargets(JudgedPriors):
    """DETRHead and what inherits its targets: each decoder layer matches its queries again."""

    def get_targets(
        self,
        cls_scores_list: list[Tensor],
        bbox_preds_list: list[Tensor],
        batch_gt_instances: list[InstanceData],
        *args: Any,
    ) -> Any:
        """As in the base class."""
        with recording(self.assigner) as results:
            targets = super().get_targets(
                cls_scores_list, bbox_preds_list, batch_gt_instances, *args
            )
        weights = complete(BoxWeights.of(boxes) for boxes in batch_gt_instances)
        if not weights:
            self._queue_weights(None, None)
            return targets
        cls, box = [], []
        for found, result in zip(weights, results, strict=True):
            positive = result.gt_inds > 0
            assigned = found.at(result.gt_inds[positive] - 1)
            cls.append(assigned.spread(positive, result.gt_inds < 0))
            box.append(torch.ones_like(cls[-1]).masked_scatter(positive, assigned.box))
        # DDQ's layers may have another number of queries for each image; nobody judges those.
        row = torch.cat(cls) if self.judge is None else self.judged(torch.stack(cls)).flatten()
        self._queue_weights(row, torch.cat(box))
        return targets

    def _queue_weights(self, cls: Tensor | None, box: Tensor | None) -> None:
        # Without a denoising query, the box losses are called on nothing all the same.
        queue_weights(self.loss_cls, None if cls is None else nonempty([cls]))
        queue_weights(self.loss_bbox, None if box is None else [box])
        queue_weights(self.loss_iou, None if box is None else [box])


class DenoisingTargets(QueryTargets):
    """DINOHead: groups of denoising queries, a near and a far one for each box."""

    def get_dn_targets(
        self, batch_gt_instances: list[InstanceData], batch_img_metas: Any, dn_meta: dict[str, int]
    ) -> Any:
        """As in the base class; both queries of a box follow its weights."""
        targets = super().get_dn_targets(batch_gt_instances, batch_img_metas, dn_meta)
        weights = complete(BoxWeights.of(boxes) for boxes in batch_gt_instances)
        if not weights:
            self._queue_weights(None, None)
            return targets
        groups = dn_meta["num_denoising_groups"]
        most = dn_meta["num_denoising_queries"] // groups // 2
        cls, box = [], []
        for found in weights:
            # Images with fewer boxes are filled up with queries that count as background.
            filled = found.cls.new_full((2, 2 * groups, most), found.background)
            filled[0, :, : len(found.cls)] = found.cls
            filled[1, :, : len(found.box)] = found.box
            cls.append(filled[0].flatten())
            box.append(filled[1].flatten())
        self._queue_weights(torch.cat(cls), torch.cat(box))
        return targets


class DistinctTargets(DenoisingTargets):
    """DDQDETRHead: its auxiliary losses get no more than boxes and labels."""

    def loss(self, *args: Any, batch_data_samples: list[Any], **kwargs: Any) -> Any:
        """As in the base class."""
        weights = (BoxWeights.of(sample.gt_instances) for sample in batch_data_samples)
        self.aux_loss_for_dense.box_weights = complete(weights)
        return super().loss(*args, batch_data_samples=batch_data_samples, **kwargs)


class AuxiliaryTargets(Mixin):
    """DDQAuxLoss: dense queries, several for each box; one call of each loss for an image.

    A query without a box is ignored if most of its own box lies in a region.
    """

    # Of the images of the batch; empty: they have none.
    box_weights: Sequence[BoxWeights] = ()

    def get_targets(
        self, cls_scores: Any, bbox_preds: Any, gt_bboxes_list: list[Tensor], *args: Any, **kw: Any
    ) -> Any:
        """As in the base class."""
        with recording(self.sampler) as results:
            targets = super().get_targets(cls_scores, bbox_preds, gt_bboxes_list, *args, **kw)
        if not self.box_weights:
            queue_weights(self.loss_cls, None)
            queue_weights(self.loss_bbox, None)
            return targets
        cls, box, sampled = [], [], iter(results)
        for weights, own, truth in zip(self.box_weights, bbox_preds, gt_bboxes_list, strict=True):
            positive = torch.zeros(len(own), dtype=torch.bool, device=own.device)
            assigned = positive.nonzero()[:, 0]
            if len(truth):  # else nothing is sampled, and nothing learned
                result = next(sampled)
                assigned = result.pos_assigned_gt_inds.long()
                positive[result.pos_inds] = True
            found = weights.at(assigned)
            cls.append(found.spread(positive, covered(own.detach(), weights.regions)))
            box.append(found.box)
        queue_weights(self.loss_cls, cls)
        queue_weights(self.loss_bbox, nonempty(box))
        return targets
