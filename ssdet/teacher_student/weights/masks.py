"""Heads that match queries to whole masks: Mask2Former of MMDetection and of MMSegmentation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models import losses as mmdet_losses
from mmdet.models.task_modules import assigners
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from ...losses.mask_sets import MaskSetLoss, MaskTargets
from .boxes import BACKGROUND, MASK, REGIONS, BoxWeights, Mixin, complete

_FIELDS = ("weight_cls", "weight_box", MASK)


class MaskQueries(Mixin):
    """Mask2FormerHead: objects have weights, or, in a segmentor, pixels have.

    Without weights the head works as before. With them it matches and draws points as before, and
    its losses are those of `MaskSetLoss`, whose numbers are the same where all weights are 1.
    """

    honors_weights = True
    # Weights (B, H, W) of the pixels while `PixelWeights` gives them.
    pixel_weights: Tensor | None = None

    @staticmethod
    def accepts(head: Any) -> bool:
        """Whether a head has the costs and losses that are published."""
        return criterion_of(head) is not None

    def preprocess_gt(self, batch_gt_instances: list[InstanceData], *args: Any) -> Any:
        """As in the base class, which drops every field but labels and masks."""
        found = super().preprocess_gt(batch_gt_instances, *args)
        for new, old in zip(found, batch_gt_instances, strict=True):
            if old.get(REGIONS) is None:
                continue
            missing = len(new.labels) - len(old.labels)  # regions of stuff, which weigh 1
            for name in [name for name in _FIELDS if name in old]:
                new[name] = torch.cat([old[name], old[name].new_ones(missing)])
            new.set_metainfo({REGIONS: old.get(REGIONS), BACKGROUND: old.get(BACKGROUND)})
        return found

    def loss_by_feat(
        self,
        all_cls_scores: Tensor,
        all_mask_preds: Tensor,
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
    ) -> Any:
        """As in the base class, with masks of the size of the padded batch, as predictions have."""
        for objects, meta in zip(batch_gt_instances, batch_img_metas, strict=True):
            height, width = meta.get("batch_input_shape", objects.masks.shape[-2:])
            missing = width - objects.masks.shape[-1], height - objects.masks.shape[-2]
            if max(missing) > 0:  # pseudo masks have the size of their image
                objects.masks = F.pad(objects.masks, (0, missing[0], 0, missing[1]))
        return super().loss_by_feat(
            all_cls_scores, all_mask_preds, batch_gt_instances, batch_img_metas
        )

    def _loss_by_feat_single(
        self,
        cls_scores: Tensor,
        mask_preds: Tensor,
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
    ) -> Any:
        """As in the base class, with the weights."""
        targets = self._weighted(batch_gt_instances)
        criterion = criterion_of(self)
        if not targets or criterion is None:
            return super()._loss_by_feat_single(
                cls_scores, mask_preds, batch_gt_instances, batch_img_metas
            )
        count = reduce_mean(cls_scores.new_tensor([float(sum(len(t.labels) for t in targets))]))
        matches = criterion.match(cls_scores, mask_preds, targets)
        found = criterion(cls_scores, mask_preds, targets, matches, count.clamp(min=1.0))
        return found["cls"], found["mask"], found["dice"]

    def _weighted(self, batch: list[InstanceData]) -> list[MaskTargets]:
        """The targets of all images; nothing if they have no weights."""
        if self.pixel_weights is not None:
            return [
                MaskTargets(one.labels, one.masks.bool(), weights, weights)
                for one, weights in zip(batch, self.pixel_weights, strict=True)
            ]
        weights = complete(BoxWeights.of(one) for one in batch)
        return [_of_objects(*pair) for pair in zip(batch, weights, strict=False)]


def _of_objects(objects: InstanceData, weights: BoxWeights) -> MaskTargets:
    pixels = weights.cls.new_ones(objects.masks.shape[-2:])
    elsewhere = pixels * weights.background
    for left, top, right, bottom in weights.regions.clamp(min=0).round().long().tolist():
        elsewhere[top:bottom, left:right] = 0.0
    masks = objects.masks.bool()
    return MaskTargets(objects.labels, masks, pixels, elsewhere, weights.cls, weights.masks)


def criterion_of(head: Any) -> MaskSetLoss | None:
    """The losses of a head in one; None if they are none of those of Mask2Former."""
    costs: list[Any] = list(getattr(getattr(head, "assigner", None), "match_costs", ()))
    kinds = (assigners.ClassificationCost, assigners.CrossEntropyLossCost, assigners.DiceCost)
    losses: list[Any] = [getattr(head, f"loss_{name}", None) for name in ("cls", "mask", "dice")]
    classes, masks, dice = losses
    known = (
        [type(cost) for cost in costs] == list(kinds)
        and isinstance(classes, mmdet_losses.CrossEntropyLoss)
        and isinstance(masks, mmdet_losses.CrossEntropyLoss)
        and isinstance(dice, mmdet_losses.DiceLoss)
        and masks.use_sigmoid
        and dice.naive_dice
        and dice.eps == costs[2].eps == 1.0
        and set(head.class_weight[:-1]) == {1.0}
    )
    if not known:
        return None
    return MaskSetLoss(
        costs=tuple(cost.weight for cost in costs),  # type: ignore[arg-type]
        weights=(classes.loss_weight, masks.loss_weight, dice.loss_weight),
        nothing=head.class_weight[-1],
        points=head.num_points,
        oversampling=head.oversample_ratio,
        uncertain=head.importance_sample_ratio,
    )
