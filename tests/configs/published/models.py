"""What a row reads of a built detector: losses, samplers, backbone, pixels, tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import torch
from mmengine.structures import InstanceData

from ssdet.teacher_student.foreign import inner

from .built import Built


def losses(*paths: str) -> Callable[[Built], tuple[str, ...]]:
    """Losses of a detector in words, with their weights.

    They are the teacher's: it has the student's config, and its losses are as they were built.
    """
    return lambda built: tuple(_loss(attrgetter(path)(inner(built.model.teacher))) for path in paths)


TWO_STAGE_LOSSES = losses(
    "rpn_head.loss_cls",
    "rpn_head.loss_bbox",
    "roi_head.bbox_head.loss_cls",
    "roi_head.bbox_head.loss_bbox",
)
ONE_STAGE_LOSSES = losses("bbox_head.loss_cls", "bbox_head.loss_bbox")


def two_stage_normalizers(built: Built) -> tuple[str, ...]:
    """What the sums of losses are divided by, as the heads of the student compute it.

    Four RoIs, one of them positive; and an RPN whose scores are 0, so that each of its sampled
    anchors has the loss log 2.
    """
    head = built.model.student.roi_head.bbox_head
    labels, scores = torch.tensor([0, *[head.num_classes] * 3]), torch.zeros(4, head.num_classes + 1)
    boxes = torch.zeros(4, 4 if head.reg_class_agnostic else 4 * head.num_classes)
    positive = torch.zeros(4, 4)
    positive[0] = 1.0
    found = head.loss(
        scores, boxes, torch.zeros(4, 5), labels, torch.ones(4), torch.ones(4, 4), positive
    )
    sums = head.loss_cls(scores, labels, reduction_override="none").sum(), 4.0  # L1 of one box
    divisors = [float(s / found[key]) for s, key in zip(sums, ("loss_cls", "loss_bbox"), strict=True)]
    names = ["RoIs" if abs(value - 4) < 1e-4 else f"{value:g}" for value in divisors]
    rpn = sum(_rpn_losses(built)["loss_rpn_cls"])
    return "sampled anchors" if abs(rpn - math.log(2)) < 1e-5 else f"{rpn:g}", *names


def _rpn_losses(built: Built) -> Any:
    sides = [32, 16, 8, 4, 2]
    scores, boxes = ([torch.zeros(1, n, side, side) for side in sides] for n in (3, 12))
    truth = InstanceData(bboxes=torch.tensor([[8.0, 8, 72, 72]]), labels=torch.tensor([0]))
    meta = {"img_shape": (128, 128), "pad_shape": (128, 128)}
    return built.model.student.rpn_head.loss_by_feat(scores, boxes, [truth], [meta])


def two_stage_samplers(built: Built) -> tuple[tuple[int, float], ...]:
    """(proposals of an image, largest share of positives) of the RPN and of the RoI head."""
    parts = built.config.model.detector.train_cfg
    return tuple((parts[key].sampler.num, parts[key].sampler.pos_fraction) for key in ("rpn", "rcnn"))


def two_stage_assigners(built: Built) -> tuple[tuple[float, float], ...]:
    """(least overlap of a positive, largest of a negative) of the RPN and of the RoI head."""
    parts = built.config.model.detector.train_cfg
    keys = ("pos_iou_thr", "neg_iou_thr")
    return tuple(tuple(parts[part].assigner[key] for key in keys) for part in ("rpn", "rcnn"))


def of_student(path: str, *names: str) -> Callable[[Built], Any]:
    """Attributes of a part of the student, or of itself (an empty path)."""
    whole = f"student.{path}".removesuffix(".")
    return lambda built: attrgetter(*names)(attrgetter(whole)(built.model))


def matching_costs(built: Built) -> tuple[float, ...]:
    """Weights of what queries and objects are matched by."""
    return tuple(cost.weight for cost in built.model.student.bbox_head.assigner.match_costs)


def padding(built: Built) -> int:
    """What the sides of a batch are a multiple of."""
    return int(built.model.data_preprocessor.inner.pad_size_divisor)


def box_per_class(built: Built) -> bool:
    """Whether the RoI head has a box of its own for each class."""
    return not built.model.student.roi_head.bbox_head.reg_class_agnostic


def initial_weights(built: Built) -> str:
    """Where the backbone's first weights come from."""
    return str(built.model.student.backbone.init_cfg["checkpoint"])


def frozen_stages(built: Built) -> int:
    """Stages of the backbone that do not learn, beside the stem."""
    return int(built.model.student.backbone.frozen_stages)


def batch_norm(built: Built) -> str:
    """What the batch norm of the backbone does, in a stage that learns."""
    backbone = built.model.student.backbone
    learns = any(p.requires_grad for p in backbone.layer4[0].bn1.parameters())
    statistics = "fixed" if backbone.norm_eval else "of the batch"
    return f"statistics {statistics}, scales {'learn' if learns else 'frozen'}"


def pixels(built: Built) -> str:
    """Order of the channels and how they are normalized."""
    settings = built.config.model.detector.data_preprocessor
    mean, std = (", ".join(f"{x:g}" for x in settings[key]) for key in ("mean", "std"))
    return f"{'RGB' if settings.bgr_to_rgb else 'BGR'}, mean {mean}, deviation {std}"


def boxes_of_a_test(built: Built) -> dict[str, float]:
    """Score threshold, NMS and boxes of an image, of the teacher's labels too."""
    settings = built.config.model.detector.test_cfg
    settings = settings.get("rcnn", settings)
    if "score_thr" not in settings:  # of queries, the best ones
        return {"boxes": settings.max_per_img}
    return {
        "score": settings.score_thr,
        "NMS": settings.nms.iou_threshold,
        "boxes": settings.max_per_img,
    }


def evaluated(built: Built) -> str:
    """Which of the two models is evaluated."""
    both = built.config.val_cfg.type == "TeacherStudentLoop"
    return "teacher and student" if both else built.config.val_cfg.type


def crowds(built: Built) -> str:
    """What annotated groups and difficult objects are to the labeled losses."""
    return str(built.model.crowd)


def _loss(module: Any) -> str:
    return f"{_NAMES[type(module).__name__](module)} x {module.loss_weight:g}"


_NAMES: dict[str, Callable[[Any], str]] = {
    "CrossEntropyLoss": lambda loss: ("binary " if loss.use_sigmoid else "") + "cross entropy",
    "FocalLoss": lambda loss: f"focal ({loss.gamma:g}, {loss.alpha:g})",
    "QualityFocalLoss": lambda loss: f"quality focal ({loss.beta:g})",
    "SoftmaxFocalLoss": lambda loss: f"softmax focal ({loss.gamma:g})",
    "L1Loss": lambda loss: "L1",
    "GIoULoss": lambda loss: "GIoU",
    "DiceLoss": lambda loss: "Dice",
}
