"""Heads that give each positive prior a mask: SOLO, CondInst, RTMDet-Ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .boxes import BoxWeights, Mixin, complete, inside
from .dense import FCOSTargets, RTMDetTargets, nonempty
from .losses import queue_weights


class GridTargets(Mixin):
    """SOLOHead: cells of a grid on each level are the priors, and no box is learned.

    A cell lies in a region to ignore if its center does. `weight_box`, times `weight_mask`, is the
    weight of its mask.
    """

    def loss_by_feat(self, *args: Any, **kwargs: Any) -> Any:
        """As in the base class."""
        self._images: list[tuple[list[Tensor], list[Tensor]]] = []
        queue_weights(self.loss_cls, None)
        queue_weights(self.loss_mask, None)
        return super().loss_by_feat(*args, **kwargs)

    def _get_targets_single(self, gt_instances: InstanceData, featmap_sizes: Any) -> Any:
        """As in the base class; negative numbers passed as labels identify the boxes."""
        weights = BoxWeights.of(gt_instances)
        if weights is None:
            return super()._get_targets_single(gt_instances, featmap_sizes=featmap_sizes)
        classes = gt_instances.labels
        numbers = -1 - torch.arange(len(classes), device=classes.device)
        targets, masked = self._assigned(gt_instances, numbers, featmap_sizes)
        cls = []
        for labels in targets[1]:
            positive = labels < 0
            assigned = -1 - labels[positive]
            labels[positive] = classes[assigned].to(labels)
            ignored = inside(_centers(labels, self.image_size(featmap_sizes)), weights.regions)
            cls.append(weights.at(assigned).spread(positive.flatten(), ignored))
        self._images.append((cls, [weights.masks[level] for level in masked]))
        self._queue()
        return targets

    def _assigned(self, boxes: InstanceData, numbers: Tensor, sizes: Any) -> Any:
        """Targets with the boxes' numbers as labels, and the boxes of the masks of each level."""
        numbered = InstanceData(bboxes=boxes.bboxes, masks=boxes.masks, labels=numbers)
        targets = super()._get_targets_single(numbered, featmap_sizes=sizes)
        return targets, [-1 - labels[labels < 0] for labels in targets[1]]

    def image_size(self, featmap_sizes: Any) -> tuple[int, int]:
        """Height and width of the padded image."""
        height, width = featmap_sizes[0]
        return int(height) * 4, int(width) * 4

    def _queue(self) -> None:
        """The losses take the levels one after the other, and in them the images."""
        cls, masks = (zip(*each, strict=True) for each in zip(*self._images, strict=True))
        queue_weights(self.loss_cls, [torch.cat([image for level in cls for image in level])])
        queue_weights(self.loss_mask, nonempty(torch.cat(level) for level in masks))


class KernelTargets(GridTargets):
    """SOLOV2Head: a cell of two objects learns the masks of both."""

    def loss_by_feat(self, mlvl_kernel_preds: list[Tensor], *args: Any, **kwargs: Any) -> Any:
        """As in the base class; without any positive the loss has the kernels, too."""
        losses = super().loss_by_feat(mlvl_kernel_preds, *args, **kwargs)
        losses["loss_mask"] = losses["loss_mask"] + _nothing(*mlvl_kernel_preds)
        return losses

    def _assigned(self, boxes: InstanceData, numbers: Tensor, sizes: Any) -> Any:
        """One box after the other, since labels of cells do not say whose masks there are."""
        base = super(GridTargets, self)._get_targets_single
        masks, labels, cells, places = base(boxes[:0], featmap_sizes=sizes)
        owners: list[list[Tensor]] = [[] for _ in labels]
        for number in range(len(numbers)):
            one = InstanceData(
                bboxes=boxes.bboxes[number : number + 1],
                masks=boxes.masks[[number]],
                labels=numbers[number : number + 1],
            )
            own = base(one, featmap_sizes=sizes)
            for level, (mask, label, cell, place) in enumerate(zip(*own, strict=True)):
                masks[level] = torch.cat([masks[level], mask])
                labels[level] = torch.where(label < 0, label, labels[level])
                cells[level] = cells[level] | cell
                places[level] = [*places[level], *place]
                owners[level].append(numbers.new_full((len(mask),), number))
        found = [torch.cat(level) if level else numbers[:0] for level in owners]
        return (masks, labels, cells, places), found

    def image_size(self, featmap_sizes: Any) -> tuple[int, int]:
        """As in the base class; the masks of all levels have one size."""
        height, width = featmap_sizes
        return int(height) * self.mask_stride, int(width) * self.mask_stride


def _centers(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Centers (P, 2) of the cells of a grid that covers the image, row by row."""
    rows, columns = cells.shape
    y = (torch.arange(rows, device=cells.device) + 0.5) * size[0] / rows
    x = (torch.arange(columns, device=cells.device) + 0.5) * size[1] / columns
    return torch.stack([x.repeat(rows), y.repeat_interleave(columns)], 1)


def _nothing(*unused: Tensor) -> Tensor:
    """0, with a gradient: processes of DDP wait for a parameter that a loss leaves out."""
    return torch.stack([one.float().sum() for one in unused]).sum() * 0.0


class CondInstTargets(FCOSTargets):
    """CondInstBboxHead: an FCOSHead that says itself which box a point is assigned to."""

    def numbered_targets(
        self, boxes: InstanceData, points: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Any, Tensor, Tensor]:
        """As in the base class."""
        targets = super(FCOSTargets, self)._get_targets_single(boxes, points, *args, **kwargs)
        return targets, targets[0] < self.num_classes, targets[3]


class CondInstMasks(Mixin):
    """CondInstMaskHead: a mask of each positive point, or of some of them."""

    def loss_by_feat(
        self,
        mask_preds: Sequence[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        positive_infos: list[InstanceData],
        **kwargs: Any,
    ) -> Any:
        """As in the base class; without any positive the loss is zero and has all parameters."""
        queue_weights(self.loss_mask, None)
        losses = super().loss_by_feat(
            mask_preds, batch_gt_instances, batch_img_metas, positive_infos, **kwargs
        )
        kernels = [one.param_preds for one in positive_infos]
        losses["loss_mask"] = losses["loss_mask"] + _nothing(*kernels, *self.parameters())
        return losses

    def _get_targets_single(
        self, mask_preds: Tensor, gt_instances: InstanceData, positive_info: InstanceData
    ) -> Any:
        """As in the base class, which selects masks; the numbers of their rows say which."""
        weights = BoxWeights.of(gt_instances)
        rows = torch.arange(len(mask_preds), device=mask_preds.device)
        if weights is None or not len(rows):
            return super()._get_targets_single(mask_preds, gt_instances, positive_info)
        chosen, targets, count = super()._get_targets_single(rows, gt_instances, positive_info)
        queue_weights(self.loss_mask, [weights.masks[positive_info.pos_assigned_gt_inds[chosen]]])
        return mask_preds[chosen], targets, count


class RTMDetInsTargets(RTMDetTargets):
    """RTMDetInsHead: boxes as in RTMDet, and a mask of each positive point."""

    def loss_by_feat(self, *inputs: Any) -> Any:
        """As in the base class; images may differ in size, and samples stay as they are."""
        padded = []
        for boxes, meta in zip(*inputs[4:6], strict=True):
            padded.append(boxes.new())
            padded[-1].masks = boxes.masks.pad(meta["batch_input_shape"])
        return super().loss_by_feat(*inputs[:4], padded, *inputs[5:])

    def loss_mask_by_feat(
        self,
        mask_feats: Tensor,
        flatten_kernels: Tensor,
        sampling_results_list: list[Any],
        batch_gt_instances: list[InstanceData],
    ) -> Tensor:
        """As in the base class; without any positive the loss has the kernels, too."""
        weights = complete(getattr(one, "weights", None) for one in sampling_results_list)
        queue_weights(
            self.loss_mask, nonempty([torch.cat([w.masks for w in weights])]) if weights else None
        )
        loss: Tensor = super().loss_mask_by_feat(
            mask_feats, flatten_kernels, sampling_results_list, batch_gt_instances
        )
        return loss + _nothing(flatten_kernels)
