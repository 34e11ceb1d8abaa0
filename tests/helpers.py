"""Tiny models and hand-made batches that several test rooms use."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ssdet.registry import MODELS
from ssdet.teacher_student.pseudo_boxes import HIGH, PseudoBoxes

PREPROCESSOR = dict(
    type="DetDataPreprocessor",
    mean=[127.0] * 3,
    std=[64.0] * 3,
    bgr_to_rgb=False,
    pad_size_divisor=32,
)


def tiny_retinanet(num_classes=3, norm="GN"):
    """RetinaNet with a ResNet-18 of 8 channels: 0.1 s for a step on two 64x64 images."""
    norm_cfg = dict(type="GN", num_groups=4) if norm == "GN" else dict(type=norm)
    return dict(
        type="RetinaNet",
        data_preprocessor=PREPROCESSOR,
        backbone=dict(
            type="ResNet",
            depth=18,
            base_channels=8,
            num_stages=4,
            out_indices=(1, 2, 3),
            norm_cfg=norm_cfg,
            norm_eval=False,
        ),
        neck=dict(
            type="FPN", in_channels=[16, 32, 64], out_channels=16, num_outs=3, norm_cfg=norm_cfg
        ),
        bbox_head=dict(
            type="RetinaHead",
            num_classes=num_classes,
            in_channels=16,
            stacked_convs=1,
            feat_channels=16,
            anchor_generator=dict(
                type="AnchorGenerator",
                octave_base_scale=2,
                scales_per_octave=1,
                ratios=[1.0],
                strides=[8, 16, 32],
            ),
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_cls=dict(type="FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25),
            loss_bbox=dict(type="L1Loss"),
        ),
        train_cfg=dict(
            assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
            sampler=dict(type="PseudoSampler"),
            allowed_border=-1,
            pos_weight=-1,
        ),
        test_cfg=dict(
            nms_pre=100,
            min_bbox_size=0,
            score_thr=0.0,
            nms=dict(type="nms", iou_threshold=0.5),
            max_per_img=5,
        ),
    )


def build_pair(detector=None, **settings):
    """A `TeacherStudentDetector` in training mode."""
    cfg = dict(type="TeacherStudentDetector", detector=detector or tiny_retinanet(), **settings)
    model = MODELS.build(copy.deepcopy(cfg))
    return model.train()


def instances(boxes=((8, 8, 40, 40),), labels=None):
    """Ground truth of one image."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.zeros(len(boxes), dtype=torch.long) if labels is None else torch.tensor(labels)
    return InstanceData(bboxes=boxes, labels=labels)


def pseudo(boxes, scores, labels=None):
    """Pseudo boxes of one image, as the teacher's labeling returns them."""
    found = PseudoBoxes.of(instances(boxes, labels))
    found.scores = torch.tensor(scores, dtype=torch.float32)
    found.weight_cls = torch.ones_like(found.scores)
    found.weight_box = torch.ones_like(found.scores)
    found.level = torch.full_like(found.labels, HIGH)
    return found


def sample(size=(64, 64), homography=None, **fields):
    """A data sample of a view."""
    meta = dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0), img_id=0)
    if homography is not None:
        meta["homography_matrix"] = np.asarray(homography, dtype=np.float32)
    result = DetDataSample(metainfo=meta)
    result.gt_instances = fields.get("gt", instances([]))
    return result


def image(size=(64, 64)):
    """A random picture as the pipelines pack it."""
    return torch.randint(0, 255, (3, *size), dtype=torch.uint8)


def multi_branch(sup=2, unsup=2, views=1, homography=None):
    """A MultiBranch batch as it comes from `pseudo_collate`: None where a sample has no branch."""
    branches = ["sup"] if sup else []
    branches += ["unsup_teacher", "unsup_student"] if unsup else []
    branches += [f"unsup_student_{i}" for i in range(2, views + 1)]
    batch = {"inputs": {}, "data_samples": {}}
    for branch in branches:
        mine = range(sup) if branch == "sup" else range(sup, sup + unsup)
        gt = instances([(8, 8, 40, 40)]) if branch == "sup" else instances([])
        matrix = None if branch in ("sup", "unsup_teacher") else homography
        batch["inputs"][branch] = [image() if i in mine else None for i in range(sup + unsup)]
        batch["data_samples"][branch] = [
            sample(homography=matrix, gt=gt.clone()) if i in mine else None
            for i in range(sup + unsup)
        ]
    return batch


def losses(model, batch):
    """One forward pass in training: losses and log."""
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    return model(**data, mode="loss")


def total(found):
    """Sum of everything that is a loss."""
    values = [v for k, v in found.items() if "loss" in k]
    return sum(sum(v) if isinstance(v, list) else v for v in values)


@contextmanager
def on_meta() -> Iterator[None]:
    """Within it, models are built without memory, but for numbers that decide how they are built.

    MMSegmentation's transformers read the rates of their drop path from a tensor.
    """
    linspace = torch.linspace
    torch.linspace = partial(linspace, device="cpu")
    try:
        with torch.device("meta"):
            yield
    finally:
        torch.linspace = linspace
