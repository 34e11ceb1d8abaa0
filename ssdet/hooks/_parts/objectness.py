"""How much of an object a box is, apart from its class: what a detector knows and does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass
class Heard:
    """What the head said about all candidates, one entry of each list for an image.

    `scores` are (P,) with one of the `labels` each, or (P, K) without; `objectness` is (P,).
    """

    scores: list[Tensor] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)
    objectness: list[Tensor] = field(default_factory=list)

    def of(self, boxes: list[InstanceData]) -> list[Tensor] | None:
        """Objectness of the final boxes; None if this detector has none.

        A box stems from the candidate that has its score (in its class): the suppression of
        duplicates changes neither.
        """
        if len(self.objectness) != len(boxes) or len(self.scores) != len(boxes):
            return None
        return [self._of_image(number, one) for number, one in enumerate(boxes)]

    def _of_image(self, number: int, boxes: InstanceData) -> Tensor:
        scores, objectness = self.scores[number], self.objectness[number]
        if not len(boxes) or not len(objectness):
            return boxes.scores.new_zeros(len(boxes))
        if scores.ndim == 2:
            distance = (scores[:, boxes.labels] - boxes.scores).abs().T
        else:
            distance = (scores - boxes.scores[:, None]).abs()
            distance += self.labels[number] != boxes.labels[:, None]
        return objectness[distance.argmin(1)].float()


@contextmanager
def heard_objectness(detector: Any) -> Iterator[Heard]:
    """Within it, listen to a detector that predicts boxes.

    Two-stage detectors: the score that the RPN gave the proposal of a box. One-stage detectors
    whose score is a product: the factor (centerness of FCOS and ATSS). Nothing is heard of others
    (GFL and RetinaNet have no such number, the boxes of DETR neither), nor where boxes are not
    suppressed by plain NMS.
    """
    heard = Heard()
    if is_two_stage(detector):
        head = detector.roi_head.bbox_head
        head = head[-1] if isinstance(head, torch.nn.ModuleList) else head
        parts = {
            "predict": (detector.rpn_head, _proposals_to(heard)),
            "predict_by_feat": (head, _scores_to(heard, head)),
        }
    elif has_factors(detector):
        parts = {"_bbox_post_process": (detector.bbox_head, _factors_to(heard))}
    else:
        parts = {}
    for name, (head, listener) in parts.items():
        setattr(head, name, listener(getattr(head, name)))
    try:
        yield heard
    finally:
        for name, (head, _) in parts.items():
            delattr(head, name)


def is_two_stage(detector: Any) -> bool:
    """Whether the scores of its proposals can be told to belong to its boxes."""
    roi_head = getattr(detector, "roi_head", None)
    if roi_head is None or getattr(detector, "rpn_head", None) is None:
        return False
    kept = type(roi_head).predict_bbox in (
        StandardRoIHead.predict_bbox,
        CascadeRoIHead.predict_bbox,
    )
    heads = roi_head.bbox_head
    head = heads[-1] if isinstance(heads, torch.nn.ModuleList) else heads
    plain = getattr(type(head), "_predict_by_feat_single", None) is BBoxHead._predict_by_feat_single
    return kept and plain and _plain_nms(roi_head.test_cfg)


def has_factors(detector: Any) -> bool:
    """Whether it is a one-stage detector that may multiply its scores by something."""
    head = getattr(detector, "bbox_head", None)
    return (
        isinstance(head, BaseDenseHead)
        and type(head)._bbox_post_process is BaseDenseHead._bbox_post_process
        and _plain_nms(head.test_cfg)
    )


def _plain_nms(test_cfg: Any) -> bool:
    return ((test_cfg or {}).get("nms") or {}).get("type", "nms") == "nms"


def _proposals_to(heard: Heard) -> Any:
    def listener(predict: Any) -> Any:
        def listen(*args: Any, **kwargs: Any) -> Any:
            proposals = predict(*args, **kwargs)
            heard.objectness = [one.scores.float() for one in proposals]
            return proposals

        return listen

    return listener


def _scores_to(heard: Heard, head: Any) -> Any:
    def listener(predict: Any) -> Any:
        def listen(rois: Any, cls_scores: Any, *args: Any, **kwargs: Any) -> Any:
            heard.scores = [_probabilities(head, one) for one in cls_scores]
            return predict(rois, cls_scores, *args, **kwargs)

        return listen

    return listener


def _probabilities(head: Any, logits: Tensor) -> Tensor:
    if head.custom_cls_channels:
        return head.loss_cls.get_activation(logits)
    return F.softmax(logits, dim=-1)


def _factors_to(heard: Heard) -> Any:
    def listener(process: Any) -> Any:
        def listen(results: InstanceData, *args: Any, **kwargs: Any) -> Any:
            if "score_factors" in results:
                heard.objectness.append(results.score_factors.float())
                heard.scores.append((results.scores * results.score_factors).float())
                heard.labels.append(results.labels)
            return process(results, *args, **kwargs)

        return listen

    return listener
