"""Objectness of a box, apart from its class: detectors compute it but do not return it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmdet.models.dense_heads import YOLOXHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmengine.structures import InstanceData
from torch import Tensor

from .heads import last_box_head
from .recording import changed_results, replaced

NAME = "objectness"


def predicted_objectness(detector: Any) -> Any:
    """A context within which predicted boxes have the field `objectness`.

    Two-stage detectors: the score that the RPN gave the proposal of a box. One-stage detectors
    whose score is a product: the factor (centerness of FCOS and ATSS, objectness of YOLOX). Others
    have no such number (GFL and RetinaNet, the boxes of a DETR), and their boxes no such field.
    """
    if is_two_stage(detector):
        return _of_proposals(detector)
    head = getattr(detector, "bbox_head", None)
    if isinstance(head, YOLOXHead):
        return _of_points(head)
    if has_factors(detector):
        return replaced(head, "_bbox_post_process", _with_factors)
    return nullcontext()


def is_two_stage(detector: Any) -> bool:
    """Whether its boxes stem from proposals that an RPN has scored."""
    roi_head = getattr(detector, "roi_head", None)
    if roi_head is None or getattr(detector, "rpn_head", None) is None:
        return False
    kept = type(roi_head).predict_bbox in (
        StandardRoIHead.predict_bbox,
        CascadeRoIHead.predict_bbox,
    )
    head = last_box_head(roi_head)
    plain = getattr(type(head), "_predict_by_feat_single", None) is BBoxHead._predict_by_feat_single
    return kept and plain


def has_factors(detector: Any) -> bool:
    """Whether it is a one-stage detector that may multiply its scores by something."""
    head = getattr(detector, "bbox_head", None)
    return (
        isinstance(head, BaseDenseHead)
        and type(head)._bbox_post_process is BaseDenseHead._bbox_post_process
    )


def _with_factors(process: Any) -> Any:
    """The suppression of duplicates picks rows of every field: this one travels along."""

    def processed(results: InstanceData, *args: Any, **kwargs: Any) -> Any:
        if "score_factors" in results:
            results[NAME] = results.score_factors.float()
        return process(results, *args, **kwargs)

    return processed


@contextmanager
def _of_points(head: Any) -> Iterator[None]:
    """YOLOX multiplies its scores itself, and keeps those above the threshold of the head."""
    waiting: list[Tensor] = []

    def make_predict(predict: Any) -> Any:
        def predicted(scores: Any, boxes: Any, factors: Any, *args: Any, **more: Any) -> Any:
            cfg = more.get("cfg") or (args[1] if len(args) > 1 and args[1] else head.test_cfg)
            objectness = _rows(factors).squeeze(-1).sigmoid()
            best = _rows(scores).sigmoid().max(-1).values
            waiting[:] = [
                one.float()[one * score >= cfg.score_thr]
                for one, score in zip(objectness, best, strict=True)
            ]
            return predict(scores, boxes, factors, *args, **more)

        return predicted

    def make_process(process: Any) -> Any:
        def processed(results: InstanceData, *args: Any, **more: Any) -> Any:
            results[NAME] = waiting.pop(0)
            return process(results, *args, **more)

        return processed

    with (
        replaced(head, "predict_by_feat", make_predict),
        replaced(head, "_bbox_post_process", make_process),
    ):
        yield


def _rows(levels: Any) -> Tensor:
    """Maps (B, C, H, W) of all levels as (B, P, C)."""
    return torch.cat([one.flatten(2).transpose(1, 2) for one in levels], 1)


@contextmanager
def _of_proposals(detector: Any) -> Iterator[None]:
    head = last_box_head(detector.roi_head)
    waiting: list[Tensor] = []

    def keep(proposals: Any, *_: Any) -> Any:
        waiting[:] = [one.scores.float() for one in proposals]
        return proposals

    def make(predict: Any) -> Any:
        def predicted(
            roi: Tensor,
            cls_score: Any,
            bbox_pred: Any,
            img_meta: Any,
            rescale: Any,
            rcnn_test_cfg: Any,
        ) -> InstanceData:
            scores, given = waiting.pop(0), (roi, cls_score, bbox_pred, img_meta, rescale)
            if rcnn_test_cfg is None or not len(roi):
                found = predict(*given, rcnn_test_cfg)
                if rcnn_test_cfg is not None:
                    found[NAME] = scores.new_zeros(len(found))
                return found  # type: ignore[no-any-return]
            return _chosen(predict(*given, None), scores, head.num_classes, rcnn_test_cfg)

        return predicted

    with (
        changed_results(detector.rpn_head, "predict", keep),
        replaced(head, "_predict_by_feat_single", make),
    ):
        yield


def _chosen(raw: InstanceData, scores: Tensor, classes: int, cfg: Any) -> InstanceData:
    """The boxes that the head keeps, by its own rule, and from which proposal each stems."""
    dets, labels, rows = multiclass_nms(
        raw.bboxes, raw.scores, cfg.score_thr, cfg.nms, cfg.max_per_img, return_inds=True
    )
    proposals = torch.div(rows, classes, rounding_mode="floor")
    return InstanceData(
        bboxes=dets[:, :-1], scores=dets[:, -1], labels=labels, **{NAME: scores[proposals]}
    )
