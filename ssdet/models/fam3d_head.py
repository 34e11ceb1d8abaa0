"""Consistent-Teacher's head: each side of a box is read at the place and level that suit it."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, Scale
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.utils import filter_scores_and_topk
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import reduce_mean
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..registry import MODELS
from ..teacher_student.weights.boxes import BoxWeights


class _Targets(NamedTuple):
    """The targets of the priors of one image."""

    labels: Tensor  # (N,), num_classes: background
    boxes: Tensor  # (N, 4)
    quality: Tensor  # (N,) IoU with the assigned box, 0: negative
    cls_weights: Tensor
    box_weights: Tensor


@MODELS.register_module()
class FAM3DHead(AnchorHead):
    """Feature alignment in three dimensions (Consistent-Teacher, CVPR 2023).

    Two towers, as in RetinaNet, predict classes and one box for each place. Then each of the four
    coordinates of a box is read again, where the head predicts that it is best: from a mixture of
    its level with the one below or above, at a nearby place. Classes stay as they
    are. The boxes of all levels are in pixels, so that nothing is rescaled between the levels.

    Assigned by `AdaptiveSampleAssigner`; focal loss of hard labels, box loss weighted by the IoU
    that the box had, both divided by the sum of these IoUs. Weights of boxes (see
    `ssdet.teacher_student.weights`) are read by the head itself. A box that turns inside out by
    being read elsewhere is replaced by the one predicted at its own place.

    Args:
        num_classes, in_channels: As in all heads of MMDetection.
        stacked_convs: Convolutions of each tower.
        feat_channels: Their channels.
        align_channels: Channels of the features from which levels and places are chosen.
        norm_cfg: Normalization in the towers.
        **kwargs: See MMDetection's `AnchorHead`: one square anchor for each place, and losses with
            `use_sigmoid=True`.
    """

    honors_weights: ClassVar[bool] = True

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        stacked_convs: int = 4,
        feat_channels: int = 256,
        align_channels: int = 64,
        norm_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.stacked_convs, self.align_channels = stacked_convs, align_channels
        self.norm_cfg = norm_cfg or dict(type="GN", num_groups=32, requires_grad=True)
        aligning = [dict(type="Normal", name=n, std=0.001) for n in ("reduce", "levels", "places")]
        kwargs.setdefault(
            "init_cfg",
            dict(
                type="Normal",
                layer="Conv2d",
                std=0.01,
                override=[
                    dict(type="Normal", name="conv_cls", std=0.01, bias_prob=0.01),
                    *aligning,
                ],
            ),
        )
        super().__init__(num_classes, in_channels, feat_channels=feat_channels, **kwargs)
        if self.num_base_priors != 1 or not self.use_sigmoid_cls:
            raise ValueError(
                f"{type(self).__name__}: found {self.num_base_priors} anchors for each place and "
                f"use_sigmoid={self.use_sigmoid_cls}; it takes one anchor (ratios=[1.0], "
                "scales_per_octave=1) and a loss_cls with use_sigmoid=True"
            )

    def _init_layers(self) -> None:
        self.cls_convs, self.reg_convs = self._tower(), self._tower()
        self.conv_cls = nn.Conv2d(self.feat_channels, self.num_classes, 3, padding=1)
        self.conv_reg = nn.Conv2d(self.feat_channels, 4, 3, padding=1)
        self.scales = nn.ModuleList(Scale(1.0) for _ in self.prior_generator.strides)
        seen, shared = 2 * self.stacked_convs * self.feat_channels, 3 * self.align_channels
        self.reduce = nn.Conv2d(seen, self.align_channels, 1)
        self.levels = nn.Conv2d(shared, 4, 3, padding=1)
        self.places = nn.Conv2d(shared, 8, 3, padding=1)

    def _tower(self) -> nn.ModuleList:
        widths = [self.in_channels, *[self.feat_channels] * self.stacked_convs]
        return nn.ModuleList(
            ConvModule(before, after, 3, padding=1, norm_cfg=self.norm_cfg)
            for before, after in pairwise(widths)
        )

    # ------------------------------------------------------------------ boxes

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Logits (B, C, H, W) and boxes (B, 4, H, W) in pixels, of each level."""
        found = [self._predict(features, level) for level, features in enumerate(feats)]
        logits, boxes, contexts = zip(*found, strict=True)
        aligned = [self._align(boxes, contexts, level) for level in range(len(feats))]
        return tuple(logits), tuple(aligned)

    def _predict(self, features: Tensor, level: int) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, boxes, and what to choose levels and places from."""
        cls, reg = _passing(self.cls_convs, features), _passing(self.reg_convs, features)
        deltas = self.scales[level](self.conv_reg(reg[-1])).float()
        return self.conv_cls(cls[-1]), self._decode(deltas, level), self._context([*cls, *reg])

    def _context(self, seen: list[Tensor]) -> Tensor:
        """A 1x1 convolution of all features one after the other, as a sum over them.

        Put side by side they would be the largest tensor of the head, and be kept for the gradient.
        """
        weights = self.reduce.weight.split(self.feat_channels, 1)
        pairs = zip(seen, weights, strict=True)
        mixed = reduce(torch.add, (F.conv2d(features, weight) for features, weight in pairs))
        bias: Any = self.reduce.bias
        return F.relu(mixed + bias.view(-1, 1, 1))

    def _decode(self, deltas: Tensor, level: int) -> Tensor:
        batch, _, height, width = deltas.shape
        anchors = self.prior_generator.single_level_grid_priors(
            (height, width), level, device=deltas.device
        )
        flat = deltas.permute(0, 2, 3, 1).reshape(-1, 4)
        boxes = self.bbox_coder.decode(anchors.repeat(batch, 1), flat)
        return boxes.view(batch, height, width, 4).permute(0, 3, 1, 2)

    def _align(self, boxes: tuple[Tensor, ...], contexts: tuple[Tensor, ...], level: int) -> Tensor:
        below, own, above = _neighbors(boxes, level)
        context = torch.cat(_neighbors(contexts, level), 1)
        lowest, highest = -float(level > 0), float(level < len(boxes) - 1)
        weight = self.levels(context).float().clamp(lowest, highest)
        mixed = (1 - weight.abs()) * own + weight.relu() * above + (-weight).relu() * below
        read = read_at(mixed, self.places(context).float())
        inverted = (read[:, :2] > read[:, 2:]).any(1, keepdim=True)
        return torch.where(inverted, own, read)

    # ------------------------------------------------------------------ learning

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        batch_gt_instances_ignore: list[InstanceData | None] | None = None,
    ) -> dict[str, Tensor]:
        """Losses of classes and boxes, over all levels and images at once."""
        sizes = [level.shape[-2:] for level in cls_scores]
        logits, boxes = _all_levels(cls_scores).float(), _all_levels(bbox_preds)
        anchors, flags = self.get_anchors(sizes, batch_img_metas, device=logits.device)
        priors = self._priors(anchors[0])
        ignored = batch_gt_instances_ignore or [None] * len(batch_img_metas)
        each = [
            self._targets(logits[i], boxes[i], priors, torch.cat(flags[i]), truth, ignored[i])
            for i, truth in enumerate(batch_gt_instances)
        ]
        targets = _Targets(*(torch.cat(field) for field in zip(*each, strict=True)))
        average = reduce_mean(targets.quality.sum()).clamp(min=1)
        loss_cls = self.loss_cls(
            logits.flatten(0, 1), targets.labels, targets.cls_weights, avg_factor=average
        )
        positive = (targets.labels < self.num_classes).nonzero().squeeze(1)
        if not len(positive):
            return dict(loss_cls=loss_cls, loss_bbox=boxes.sum() * 0)
        loss_bbox = self.loss_bbox(
            boxes.flatten(0, 1)[positive],
            targets.boxes[positive],
            weight=(targets.quality * targets.box_weights)[positive],
            avg_factor=average,
        )
        return dict(loss_cls=loss_cls, loss_bbox=loss_bbox)

    def _priors(self, anchors: list[Tensor]) -> Tensor:
        """Center and stride (N, 4) of all levels."""
        centers = [(level[:, :2] + level[:, 2:]) / 2 for level in anchors]
        strides = self.prior_generator.strides
        pairs = zip(centers, strides, strict=True)
        return torch.cat([torch.cat([c, c.new_tensor(s).expand_as(c)], 1) for c, s in pairs])

    @torch.no_grad()
    def _targets(
        self,
        logits: Tensor,
        boxes: Tensor,
        priors: Tensor,
        exists: Tensor,
        truth: InstanceData,
        ignored: InstanceData | None,
    ) -> _Targets:
        """`exists`: which priors do not lie in the padding."""
        found = InstanceData(
            scores=logits[exists].sigmoid(), bboxes=boxes[exists], priors=priors[exists]
        )
        assigned = self.assigner.assign(found, truth, ignored)
        numbers = torch.full_like(exists, -1, dtype=torch.long)
        numbers[exists] = assigned.gt_inds
        ious = logits.new_zeros(len(numbers))
        ious[exists] = assigned.max_overlaps.to(ious)
        positive, box = numbers > 0, numbers[numbers > 0] - 1
        labels = torch.full_like(numbers, self.num_classes)
        labels[positive] = truth.labels[box]
        goals = boxes.new_zeros(boxes.shape)
        goals[positive] = get_box_tensor(truth.bboxes)[box].to(boxes)
        cls_weights, box_weights = (numbers >= 0).to(logits), torch.ones_like(ious)
        weights = BoxWeights.of(truth)
        if weights is not None:
            own = weights.at(box)
            cls_weights = own.spread(positive, numbers < 0).to(logits)
            box_weights[positive] = own.box.to(logits)
        quality = torch.zeros_like(ious)
        quality[positive] = _against_the_best(ious[positive], box, len(truth))
        return _Targets(labels, goals, quality, cls_weights, box_weights)

    # ------------------------------------------------------------------ predicting

    def _predict_by_feat_single(
        self,
        *,
        cls_score_list: list[Tensor],
        bbox_pred_list: list[Tensor],
        score_factor_list: list[Any],
        mlvl_priors: list[Tensor],
        img_meta: dict[str, Any],
        cfg: ConfigDict | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> InstanceData:
        """Boxes of one image; what the levels give is decoded already."""
        cfg = self.test_cfg if cfg is None else cfg
        levels = []
        for logits, boxes in zip(cls_score_list, bbox_pred_list, strict=True):
            scores = logits.permute(1, 2, 0).reshape(-1, self.num_classes).sigmoid()
            flat = boxes.permute(1, 2, 0).reshape(-1, 4)
            scores, labels, _, kept = filter_scores_and_topk(
                scores, cfg.score_thr, cfg.get("nms_pre", -1), dict(bboxes=flat)
            )
            levels.append(InstanceData(scores=scores, labels=labels, bboxes=kept["bboxes"]))
        found = InstanceData.cat(levels)
        height, width = img_meta["img_shape"][:2]
        limit = found.bboxes.new_tensor([width, height, width, height])
        found.bboxes = torch.minimum(found.bboxes.clamp(min=0), limit)
        return self._bbox_post_process(
            results=found, cfg=cfg, rescale=rescale, with_nms=with_nms, img_meta=img_meta
        )


def read_at(maps: Tensor, offsets: Tensor) -> Tensor:
    """Each map (B, K, H, W) read at every place moved by its own offset, (B, 2K, H, W).

    Offsets are (dy, dx) for each map, in pixels; between pixels it is linear, outside of the map
    everything is 0. A deformable 1x1 convolution with the identity as its weight does the same.
    """
    batch, count, height, width = maps.shape
    dy, dx = offsets.view(batch * count, 2, height, width).unbind(1)
    ys = torch.arange(height, device=maps.device, dtype=maps.dtype)[:, None] + dy
    xs = torch.arange(width, device=maps.device, dtype=maps.dtype) + dx
    # Without aligned corners a map that is one pixel wide is no special case.
    grid = torch.stack([(2 * xs + 1) / width - 1, (2 * ys + 1) / height - 1], dim=-1)
    flat = maps.reshape(batch * count, 1, height, width)
    read = F.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return read.view_as(maps)


def _passing(convs: nn.ModuleList, features: Tensor) -> list[Tensor]:
    """What comes out of each convolution of a tower."""
    seen = []
    for conv in convs:
        features = conv(features)
        seen.append(features)
    return seen


def _neighbors(maps: tuple[Tensor, ...], level: int) -> tuple[Tensor, Tensor, Tensor]:
    """The level below, the own one, and the one above, in the size of the own one.

    At the ends the own one replaces the one that is not there.
    """
    own = maps[level]
    others = (maps[max(level - 1, 0)], maps[min(level + 1, len(maps) - 1)])
    below, above = (
        F.interpolate(other, size=own.shape[-2:], mode="bilinear", align_corners=False)
        for other in others
    )
    return below, own, above


def _all_levels(maps: list[Tensor]) -> Tensor:
    """(B, K, H, W) of each level -> (B, N, K)."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in maps], 1)


def _against_the_best(ious: Tensor, boxes: Tensor, count: int) -> Tensor:
    """IoU / (best of the same box + 1e-7) * best of the same box."""
    best = ious.new_zeros(count).scatter_reduce(0, boxes, ious, "amax")[boxes]
    return ious / (best + 1e-7) * best
