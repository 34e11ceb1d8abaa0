"""The head of SAN in MMSegmentation, which matches queries to whole masks by losses of its own."""

from __future__ import annotations

from typing import Any

from mmdet.utils import reduce_mean
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from mmseg.models import assigners, losses
from torch import Tensor

from ...losses.mask_sets import MaskSetLoss, MaskTargets
from .boxes import Mixin

_NAMES = {"cls": "loss_cls_ce", "mask": "loss_mask_ce", "dice": "loss_mask_dice"}
_COSTS = [assigners.ClassificationCost, assigners.CrossEntropyLossCost, assigners.DiceCost]


class SideAdapterMasks(Mixin):
    """SideAdapterCLIPHead: as `MaskQueries`, pixels have weights while `PixelWeights` gives them.

    With weights its losses are those of `MaskSetLoss`, whose numbers are the same where all weights
    are 1 and no pixel is ignored.
    """

    honors_weights = True
    pixel_weights: Tensor | None = None  # (B, H, W)

    @staticmethod
    def accepts(head: Any) -> bool:
        """Whether a head has the costs and losses that are published."""
        return san_criterion(head) is not None

    def init_weights(self) -> None:
        """As in the base class, which fails without a file of CLIP's weights."""
        if isinstance(self.init_cfg, dict) and self.init_cfg.get("checkpoint"):
            super().init_weights()
            return
        print_log(
            "SideAdapterCLIPHead: pretrained=None: the weights of its CLIP come from a file alone. "
            "Set load_from to a whole SAN, or segmentor.pretrained to the file its config names",
            logger="current",
            level=30,
        )
        self.side_adapter_network.init_weights()

    def loss_by_feat(
        self,
        all_cls_scores: list[Tensor],
        all_mask_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
    ) -> dict[str, Tensor]:
        """As in the base class, with the weights."""
        criterion = san_criterion(self)
        if self.pixel_weights is None or criterion is None:
            plain: dict[str, Tensor] = super().loss_by_feat(
                all_cls_scores, all_mask_preds, batch_gt_instances
            )
            return plain
        targets = [
            MaskTargets(one.labels, one.masks.bool(), weights, weights)
            for one, weights in zip(batch_gt_instances, self.pixel_weights, strict=True)
        ]
        count = self.pixel_weights.new_tensor(float(sum(len(t.labels) for t in targets)))
        count = reduce_mean(count).clamp(min=1.0)
        found, last = {}, len(all_cls_scores) - 1
        for number, (logits, masks) in enumerate(zip(all_cls_scores, all_mask_preds, strict=True)):
            prefix = "" if number == last else f"d{self.deep_supervision_idxs[number]}."
            matches = criterion.match(logits, masks, targets)
            for name, value in criterion(logits, masks, targets, matches, count).items():
                found[prefix + _NAMES[name]] = value
        return found


def san_criterion(head: Any) -> MaskSetLoss | None:
    """The losses of a head in one; None if they are none of those of SAN."""
    matching = getattr(head, "match_masks", None)
    costs: list[Any] = list(getattr(getattr(matching, "assigner", None), "match_costs", ()))
    found = {getattr(loss, "loss_name", ""): loss for loss in _listed(head.loss_decode)}
    if [type(cost) for cost in costs] != _COSTS or found.keys() != set(_NAMES.values()):
        return None
    classes, masks, dice = (found[name] for name in _NAMES.values())
    weights = list(classes.class_weight or ())
    known = (
        isinstance(classes, losses.CrossEntropyLoss)
        and not classes.use_sigmoid
        and isinstance(masks, losses.CrossEntropyLoss)
        and masks.use_sigmoid
        and isinstance(dice, losses.DiceLoss)
        and dice.naive_dice
        and dice.activate
        and costs[2].pred_act
        and costs[2].naive_dice
        and dice.eps == costs[2].eps == 1.0
        and set(weights[:-1]) == {1.0}
    )
    if not known:
        return None
    return MaskSetLoss(
        costs=tuple(cost.weight for cost in costs),  # type: ignore[arg-type]
        weights=(classes.loss_weight, masks.loss_weight, dice.loss_weight),
        nothing=weights[-1],
        points=head.train_cfg.num_points,
        oversampling=head.train_cfg.oversample_ratio,
        uncertain=head.train_cfg.importance_sample_ratio,
    )


def _listed(losses_of_head: Any) -> list[Any]:
    return list(losses_of_head) if hasattr(losses_of_head, "__iter__") else [losses_of_head]
