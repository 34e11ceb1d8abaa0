"""Unbiased Teacher v2's FCOS head, which says how sure it is of each side of a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from mmdet.models.dense_heads.anchor_free_head import AnchorFreeHead
from mmdet.models.dense_heads.gfl_head import Integral
from mmdet.models.utils import filter_scores_and_topk, multi_apply
from mmdet.structures.bbox import bbox_overlaps
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..losses.uncertainty import certainty, listening_loss, listens, sides_likelihood
from ..registry import MODELS
from ..teacher_student.weights.dense import levels_first
from ..validation import check_range
from .fcos_heads import PointHead, Points

Rank = Literal["cls_centerness", "cls", "cls_certainty"]


@dataclass(frozen=True)
class Listening:
    """Which sides of pseudo boxes are learned, and the weight of their loss."""

    margin: float
    least: float
    weight: float


@MODELS.register_module()
class UncertainFCOSHead(PointHead):
    """FCOS with a deviation for each side, and sides as means of distributions.

    Unbiased Teacher v2 (Liu et al., CVPR 2022). The distances are means over `reg_max + 1` strides;
    a further output is the deviation of each side (logits, below 1 stride). Annotated boxes
    teach both: GIoU, and the likelihood of the errors times the IoU. Pseudo boxes that have
    `side_logits` teach the sides that `ListenHook` chooses, by their distance (L1).

    The score of a box is the geometric mean of class probability and centerness.

    Args:
        num_classes, in_channels: As in all heads of MMDetection.
        reg_max: The longest distance, in strides.
        nll_weight: Factor on the likelihood.
        **kwargs: See MMDetection's `FCOSHead`; boxes are always in strides (`norm_on_bbox`).
    """

    classification: ClassVar[tuple[str, ...]] = ("cls", "centerness")
    # What `ListenHook` sets: how pseudo boxes are learned; and by what rankings the sets of pseudo
    # boxes for classes and for boxes are chosen.
    listening: Listening | None = None
    rankings: dict[str, Rank] | None = None
    # Chosen sides, and all sides, of the positives of the last pseudo boxes.
    heard: tuple[Tensor, int] | None = None

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        reg_max: int = 16,
        nll_weight: float = 0.05,
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        check_range(name, "reg_max", reg_max, 1, float("inf"))
        check_range(name, "nll_weight", nll_weight, 0, float("inf"))
        self.reg_max, self.nll_weight = reg_max, nll_weight
        bias = dict(type="Normal", name="conv_cls", std=0.01, bias_prob=0.01)
        small = dict(type="Normal", name="conv_std", std=1e-4)
        kwargs.setdefault(
            "init_cfg", dict(type="Normal", layer="Conv2d", std=0.01, override=[bias, small])
        )
        super().__init__(num_classes, in_channels, **{**kwargs, "norm_on_bbox": True})

    def _init_layers(self) -> None:
        super()._init_layers()
        self.conv_reg = nn.Conv2d(self.feat_channels, 4 * (self.reg_max + 1), 3, padding=1)
        self.conv_std = nn.Conv2d(self.feat_channels, 4, 3, padding=1)
        self.integral = Integral(self.reg_max)

    def forward(self, feats: tuple[Tensor, ...]) -> Any:
        """Class logits, distances, centerness and logits of the deviations, of each level."""
        return multi_apply(self.forward_single, feats, self.scales, self.strides)

    def forward_single(self, x: Tensor, scale: nn.Module, stride: int) -> tuple[Tensor, ...]:
        """The same of one level."""
        logits, bins, cls_feat, reg_feat = AnchorFreeHead.forward_single(self, x)
        batch, _, height, width = bins.shape
        rows = scale(bins).float().permute(0, 2, 3, 1)
        distances = self.integral(rows).view(batch, height, width, 4).permute(0, 3, 1, 2)
        if not self.training:
            distances = distances * stride
        seen = reg_feat if self.centerness_on_reg else cls_feat
        return logits, distances, self.conv_centerness(seen), self.conv_std(reg_feat).float()

    # ------------------------------------------------------------------ learning

    def get_targets(self, points: list[Tensor], batch_gt_instances: list[InstanceData]) -> Any:
        """As in the base class; the deviations that the teacher gave go with them."""
        self._told: list[Tensor] = []
        targets = super().get_targets(points, batch_gt_instances)
        sizes = [len(level) for level in points]
        self._teacher = levels_first(torch.stack(self._told), sizes) if self._told else None
        return targets

    def assigned(self, boxes: InstanceData, positive: Tensor, numbers: Tensor) -> None:
        """Give each positive the deviations of its pseudo box."""
        if "side_logits" in boxes:
            told = boxes.side_logits.new_zeros(len(positive), 4)
            told[positive] = boxes.side_logits[numbers]
            self._told.append(told)

    def point_losses(self, points: Points) -> dict[str, Tensor]:
        """Classes of all points; boxes and centerness of the positives."""
        logits, distances, centerness, deviations = points.maps
        losses = {"loss_cls": self.loss_cls(logits, points.labels, avg_factor=points.count)}
        at = points.positive
        distances, deviations = distances[at], deviations[at]
        centrality = self.centerness_target(points.targets)
        average = reduce_mean(centrality.sum()).clamp(min=1e-6)
        if not len(at):
            nothing = distances.sum() + deviations.sum()
            return {**losses, "loss_bbox": nothing, "loss_centerness": centerness[at].sum()}
        losses["loss_centerness"] = self.loss_centerness(
            centerness[at, 0], centrality, avg_factor=points.count
        )
        if self._teacher is not None and self.listening is not None:
            weights = self._weights(at)
            return {**losses, "loss_bbox": self._listen(distances, deviations, points, weights)}
        boxes = self.bbox_coder.decode(points.places, distances)
        truth = self.bbox_coder.decode(points.places, points.targets)
        loss_bbox = self.loss_bbox(boxes, truth, weight=centrality, avg_factor=average)
        fit = bbox_overlaps(boxes.detach(), truth, is_aligned=True) * self._weights(at)
        likelihood = sides_likelihood(distances - points.targets, deviations) * fit
        return {**losses, "loss_bbox": loss_bbox + self.nll_weight * likelihood.mean()}

    def _weights(self, at: Tensor) -> Tensor:
        found = self.box_weights
        return torch.ones_like(at, dtype=torch.float32) if found is None else found[at]

    def _listen(
        self, distances: Tensor, deviations: Tensor, points: Points, weights: Tensor
    ) -> Tensor:
        """The loss of the sides of which the teacher is surer."""
        rule: Any = self.listening
        teacher: Any = self._teacher[points.positive]  # type: ignore[index]
        chosen = listens(teacher, deviations.detach(), margin=rule.margin, least=rule.least)
        self.heard = chosen.sum(), chosen.numel()
        loss = rule.weight * listening_loss(distances - points.targets, chosen, weights)
        return loss + 0.0 * deviations.sum()

    # ------------------------------------------------------------------ predicting

    def predict_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        centernesses: list[Tensor],
        deviations: list[Tensor],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """As in the base class; centerness and deviations make the factors of the scores."""
        factors = [torch.cat(pair, 1) for pair in zip(centernesses, deviations, strict=True)]
        return super().predict_by_feat(cls_scores, bbox_preds, factors, *args, **kwargs)

    def _predict_by_feat_single(
        self,
        *,
        cls_score_list: list[Tensor],
        bbox_pred_list: list[Tensor],
        score_factor_list: list[Tensor],
        mlvl_priors: list[Tensor],
        img_meta: dict[str, Any],
        cfg: Any = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> InstanceData:
        """Boxes of one image: by the scores of a test, or those of each ranking."""
        cfg = self.test_cfg if cfg is None else cfg
        levels = []
        maps = zip(cls_score_list, bbox_pred_list, score_factor_list, mlvl_priors, strict=True)
        for logits, distances, factors, places in maps:
            flat = dict(distances=_rows(distances), factors=_rows(factors), places=places)
            scores, labels, _, kept = filter_scores_and_topk(
                _rows(logits).sigmoid(), cfg.score_thr, cfg.get("nms_pre", -1), flat
            )
            levels.append(InstanceData(scores=scores, labels=labels, **kept))
        found = InstanceData.cat(levels)
        shape = img_meta["img_shape"]
        boxes = self.bbox_coder.decode(found.places, found.distances, max_shape=shape)
        settings = dict(cfg=cfg, rescale=rescale, with_nms=with_nms, img_meta=img_meta)

        def ranked(rank: Rank) -> InstanceData:
            own = InstanceData(bboxes=boxes, labels=found.labels, scores=_scores(found, rank))
            if self.rankings:
                own.side_logits = found.factors[:, 1:]
            return self._bbox_post_process(results=own, **settings)

        if not self.rankings:
            return ranked("cls_centerness")
        sets = {task: ranked(rank) for task, rank in self.rankings.items()}
        for task in self.rankings:
            for name, own in sets.items():
                own[f"in_{task}"] = torch.full_like(own.labels, name == task, dtype=torch.bool)
        return InstanceData.cat(list(sets.values()))


def _scores(found: InstanceData, rank: Rank) -> Tensor:
    """The scores (N,) of candidates by which they are ranked."""
    if rank == "cls":
        return found.scores
    centerness, sides = found.factors[:, 0], found.factors[:, 1:]
    other = centerness.sigmoid() if rank == "cls_centerness" else certainty(sides).mean(-1)
    return (found.scores * other).sqrt()


def _rows(level: Tensor) -> Tensor:
    return level.permute(1, 2, 0).reshape(-1, len(level))
