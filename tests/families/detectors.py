"""MMDetection's detectors and heads of ours, made small: the same classes, 16 channels wide."""

from __future__ import annotations

import copy
import logging
from functools import cache
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine import MessageHub
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

CONFIGS = {
    "retinanet": "retinanet/retinanet_r50_fpn_1x_coco.py",
    "fcos": "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
    "atss": "atss/atss_r50_fpn_1x_coco.py",
    "gfl": "gfl/gfl_r50_fpn_1x_coco.py",
    "tood": "tood/tood_r50_fpn_1x_coco.py",
    "rtmdet": "rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
    "yolox": "yolox/yolox_tiny_8xb8-300e_coco.py",
    "faster_rcnn": "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
    "cascade_rcnn": "cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py",
    "mask_rcnn": "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "deformable_detr": "deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
    "dino": "dino/dino-4scale_r50_8xb2-12e_coco.py",
    "fam3d": Path(__file__).parents[2] / "configs/_base_/models/retinanet_r50_fam3d.py",
}
FAMILIES = tuple(CONFIGS)
# Detectors of masks; the first three have no head of boxes.
MASK_CONFIGS = {
    "solo": "solo/solo_r50_fpn_1x_coco.py",
    "solov2": "solov2/solov2_r50_fpn_1x_coco.py",
    "mask2former": "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
    "condinst": "condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py",
}
MASK_FAMILIES = tuple(MASK_CONFIGS)
# For `tools/family_table.py`, beside these.
TABLE_CONFIGS = {
    "rtmdet_ins": "rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py",
    "ddq": "ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py",
    "detr": "detr/detr_r50_8xb2-150e_coco.py",
}
CLASSES = 3

# What makes a detector wide or deep, wherever in its config it stands.
SMALL = dict(
    out_channels=16, in_channels=16, feat_channels=16, conv_out_channels=16, fc_out_channels=32,
    embed_dims=16, feedforward_channels=32, num_feats=8, num_heads=2, ffn_drop=0.0, dropout=0.0,
    num_classes=CLASSES, num_layers=2, stacked_convs=2, num_convs=1, num_queries=12,
    num_dn_queries=4, num_csp_blocks=1, octave_base_scale=4, num_groups=4, frozen_stages=-1,
    init_cfg=None, requires_grad=True, align_channels=8,
)  # fmt: skip


@cache
def _published(family: str) -> ConfigDict:
    path = {**CONFIGS, **MASK_CONFIGS, **TABLE_CONFIGS}[family]
    if isinstance(path, Path):  # one of ours
        return Config.fromfile(path).detector
    return get_config(f"mmdet::{path}").model


def small_config(family: str) -> ConfigDict:
    """The published config of a family, with little of everything."""
    cfg = copy.deepcopy(_published(family))
    _shrink(cfg)
    cfg.data_preprocessor.pop("batch_augments", None)
    if family in MASK_FAMILIES:
        _shrink_masks(family, cfg)
    if family == "mask2former":
        cfg.backbone.update(depth=18, base_channels=8)
    elif cfg.backbone.type == "ResNet":
        cfg.backbone.update(depth=18, base_channels=8)
        cfg.neck.in_channels = [8, 16, 32, 64][-len(cfg.neck.in_channels) :]
    else:
        cfg.backbone.update(deepen_factor=0.167, widen_factor=0.125)
        cfg.neck.in_channels = [32, 64, 128]
    if family in ("fcos", "atss", "gfl", "tood"):
        cfg.bbox_head.norm_cfg = dict(type="GN", num_groups=4)
    if "encoder" in cfg:
        for part in (cfg.encoder.layer_cfg.self_attn_cfg, cfg.decoder.layer_cfg.cross_attn_cfg):
            part.update(num_heads=2, dropout=0.0)
        cfg.bbox_head.embed_dims = 16
        cfg.test_cfg.max_per_img = 10
    return cfg


def _shrink_masks(family: str, cfg: ConfigDict) -> None:
    if family == "mask2former":
        head = cfg.panoptic_head
        head.update(in_channels=[8, 16, 32, 64], num_things_classes=CLASSES)
        cfg.panoptic_fusion_head.num_things_classes = CLASSES
        head.loss_cls.class_weight = [1.0] * CLASSES + [0.1]
        cfg.train_cfg.num_points = 64
        cfg.test_cfg.max_per_image = 10
        return
    head = cfg.mask_head.get("mask_feature_head", {})
    if family == "condinst":
        head.update(out_channels=8, num_stacked_convs=1)
        cfg.mask_head.update(feat_channels=8, num_layers=3)
        cfg.bbox_head.norm_cfg = dict(type="GN", num_groups=4)
        return
    head.pop("init_cfg", None)
    # Objects of 16 to 64 pixels, on every level.
    cfg.mask_head.update(
        norm_cfg=dict(type="GN", num_groups=4),
        num_grids=[8, 8, 6, 4, 4],
        scale_ranges=((1, 24), (12, 32), (24, 48), (32, 64), (48, 2048)),
    )
    # The masks of SOLO begin with a probability of 0.01 everywhere.
    cfg.test_cfg.update(nms_pre=20, filter_thr=0.0, max_per_img=10)
    cfg.test_cfg.mask_thr = 0.01 if family == "solo" else 0.5


def _shrink(node) -> None:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list, tuple)):
            if isinstance(value, tuple):
                continue
            _shrink(value)
        if isinstance(node, dict) and key in SMALL and not isinstance(value, (list, tuple)):
            node[key] = SMALL[key]
        if key == "type" and value == "SyncBN":
            node[key] = "BN"


def build(family: str, cfg: ConfigDict | None = None) -> torch.nn.Module:
    """A small detector in training mode, with the initialization of its family."""
    # TOOD asks for the epoch, which a runner would have written there.
    MessageHub.get_current_instance().update_info("epoch", 4)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return initialized(MODELS.build(cfg or small_config(family)))


def initialized(model: torch.nn.Module) -> torch.nn.Module:
    """Initial weights, without MMEngine's line in the log for each of them."""
    logging.disable(logging.INFO)
    model.init_weights()
    logging.disable(logging.NOTSET)
    return model.train()


def sample(
    boxes=(), labels=None, *, size=(64, 64), ignored=(), masks=False, **fields
) -> DetDataSample:
    """A data sample with boxes, their (filled) masks, and whatever else is said about them."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.arange(len(boxes)) % CLASSES if labels is None else torch.tensor(labels)
    result = DetDataSample(
        metainfo=dict(
            img_shape=size, ori_shape=size, pad_shape=size, batch_input_shape=size,
            scale_factor=(1.0, 1.0), img_id=0,
        )
    )  # fmt: skip
    gt = InstanceData(bboxes=boxes, labels=labels)
    if masks:
        bitmaps = np.zeros((len(boxes), *size), dtype=np.uint8)
        for bitmap, (x1, y1, x2, y2) in zip(bitmaps, boxes.int().tolist(), strict=True):
            bitmap[y1:y2, x1:x2] = 1
        gt.masks = BitmapMasks(bitmaps, *size)
    background = fields.pop("background_weight", None)
    for name, value in fields.items():
        gt[name] = torch.tensor(value, dtype=torch.float32)
    if background is not None:
        gt.set_metainfo(dict(background_weight=background))
    result.gt_instances = gt
    if len(ignored):
        result.ignored_instances = InstanceData(bboxes=torch.tensor(ignored, dtype=torch.float32))
    return result
