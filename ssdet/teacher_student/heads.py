"""Finding the heads of any model, with one stage or several, and calling RoI heads in one way.

MMDetection and MMSegmentation keep a head of one stage as a module and the stages of a cascade
(Cascade R-CNN, CascadeEncoderDecoder) as a list of modules. Code that needs "the head" calls these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.roi_heads import BBoxHead, CascadeRoIHead, StandardRoIHead
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from torch import Tensor, nn


def stages(part: Any) -> list[Any]:
    """The stages of a part of a model: one for a plain module, none for None."""
    if part is None:
        return []
    return list(part) if isinstance(part, nn.ModuleList) else [part]


def box_heads(owner: Any) -> list[Any]:
    """The box head of each stage, of a detector or of a RoI head."""
    return stages((owner if hasattr(owner, "bbox_head") else owner.roi_head).bbox_head)


def last_box_head(owner: Any) -> Any:
    """The head that a detector, or a RoI head, takes its boxes from."""
    return box_heads(owner)[-1]


def count_classes(detector: nn.Module) -> int:
    """The number of classes of objects of a detector.

    That of its box head; else of its other heads (masks of SOLO, queries of Mask2Former, those of a
    detector that wraps another one), as far as they agree.
    """
    if isinstance(getattr(detector, "num_classes", None), int):
        return int(detector.num_classes)  # type: ignore[arg-type]
    owner = getattr(detector, "roi_head", None) or detector
    boxes = stages(getattr(owner, "bbox_head", None))
    if boxes and hasattr(boxes[-1], "num_classes"):
        return int(boxes[-1].num_classes)
    found = {}
    for name, module in detector.named_modules():
        own = getattr(module, "num_things_classes", getattr(module, "num_classes", None))
        others = any(part in name for part in ("rpn_head", "semantic_head", "backbone"))
        if own is not None and type(module).__name__.endswith("Head") and not others:
            found[name] = int(own)
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    numbers = ", ".join(f"{name} has {number}" for name, number in found.items())
    raise TypeError(
        f"TeacherStudentDetector: how many classes of objects a {type(detector).__name__} has "
        f"cannot be known ({numbers or 'no head has num_classes'}). Set num_classes=... beside "
        "detector=..."
    )


def last_decode_head(segmentor: Any) -> Any:
    """The head that a segmentor takes its labels from."""
    return stages(segmentor.decode_head)[-1]


def check_roi_heads(owner: str, model: Any, why: str) -> None:
    """Raise a TypeError, in the name of a hook, for a model without supported RoI heads."""
    roi_head = getattr(getattr(model, "student", None), "roi_head", None)
    known = isinstance(roi_head, (StandardRoIHead, CascadeRoIHead))
    heads = box_heads(roi_head) if known else []
    usable = [isinstance(head, BBoxHead) and head.with_reg and head.with_cls for head in heads]
    if not usable or not all(usable):
        detector = type(getattr(model, "student", model)).__name__
        raise TypeError(
            f"{owner}: {why} and works with two-stage detectors (Faster, Mask and Cascade R-CNN), "
            f"not with a {detector}. Take it out of custom_hooks."
        )


def box_forward(
    roi_head: Any, stage: int, features: Any, boxes: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Class scores and box deltas of one stage for the boxes of each image, all in one tensor."""
    rois = bbox2roi(list(boxes))
    cascade = isinstance(roi_head, CascadeRoIHead)
    found = roi_head._bbox_forward(*([stage] if cascade else []), features, rois)
    return found["cls_score"].float(), found["bbox_pred"].float()


def refined_boxes(
    roi_head: Any, features: Any, boxes: list[Tensor], labels: list[Tensor], samples: list[Any]
) -> list[Tensor]:
    """Boxes (S, N, 4) of each image after each stage, regressed for their classes and clipped."""
    counts, stages = [len(each) for each in boxes], []
    if not sum(counts):
        return [each.new_zeros(len(box_heads(roi_head)), 0, 4) for each in boxes]
    for stage, head in enumerate(box_heads(roi_head)):
        _, deltas = box_forward(roi_head, stage, features, boxes)
        boxes = [
            get_box_tensor(head.regress_by_class(start, label, delta, sample.metainfo))
            for start, label, delta, sample in zip(
                boxes, labels, deltas.split(counts), samples, strict=True
            )
        ]
        stages.append(boxes)
    return [torch.stack(steps) for steps in zip(*stages, strict=True)]
