"""Published recipes of detection: one module for each paper."""

from ..table import Recipe, Repository
from . import (
    arsl,
    consistent_teacher,
    dense_teacher,
    dual_polish,
    labelmatch,
    mixpl,
    semi_detr,
    soft_teacher,
    unbiased_teacher,
    unbiased_teacher_v2,
)

REPOSITORIES = {
    "ST": Repository("microsoft/SoftTeacher", "0423bb2f"),
    "UT": Repository("facebookresearch/unbiased-teacher", "6977c6f7"),
    "UT2": Repository("facebookresearch/unbiased-teacher-v2", "93bb125"),
    "D2": Repository("facebookresearch/detectron2", "084acd0f"),
    "CT": Repository("Adamdad/ConsistentTeacher", "b49a9ce1"),
    "MX": Repository("Czm369/MixPL", "9f2176a3"),
    "LM": Repository("hikvision-research/SSOD", "13c43fc5"),
    "DP": Repository("snowdusky/DualPolishLearning", "0db0b917"),
    "DT": Repository("Megvii-BaseDetection/DenseTeacher", "8fbf465c"),
    "PD": Repository("PaddlePaddle/PaddleDetection", "78f8dad9"),
    "CV": Repository("Megvii-BaseDetection/cvpods", "01f0f9a4"),
    "SD": Repository("JCZ404/Semi-DETR", "6afea669"),
    "MM": Repository("VBTI-development/onedl-mmdetection", "c1d83f03"),
}
RECIPES: tuple[Recipe, ...] = (
    *soft_teacher.RECIPES,
    *unbiased_teacher.RECIPES,
    *unbiased_teacher_v2.RECIPES,
    *consistent_teacher.RECIPES,
    *mixpl.RECIPES,
    *semi_detr.RECIPES,
    *dense_teacher.RECIPES,
    *arsl.RECIPES,
    *labelmatch.RECIPES,
    *dual_polish.RECIPES,
)
_OURS = "a combination of ours"
UNPUBLISHED = {
    "soft_teacher/faster-rcnn_r50_voc.py": "the authors have no config for VOC; schedule and weight are ours",
    "soft_teacher/mask-rcnn_r50_coco.py": "the authors report boxes only; masks are ours",
    "soft_teacher/faster-rcnn_r50_cityscapes.py": "the authors have no config for Cityscapes",
    "soft_teacher/faster-rcnn_r50_cityscapes_baseline.py": "as its method",
    "soft_teacher/mask-rcnn_r50_cityscapes.py": "the authors have no config for Cityscapes",
    "mixpl/faster-rcnn_r50_voc.py": "the authors have no config for VOC; schedule and sizes are ours",
    "mixpl/dino_r50_coco-full.py": "the authors report 55.2 AP without a config; the length is ours",
    "mean_teacher/faster-rcnn_r50_coco.py": "MMDetection's base class for such methods; it reports no number",
    "mean_teacher/faster-rcnn_r50_voc.py": "as on COCO",
    "mean_teacher/faster-rcnn_r50_foggy.py": "methods for fog align domains; the burn-in is ours",
    "adaptation/faster-rcnn_r50_foggy.py": "the mean teacher above, with style swap, which is ours",
    "data_distillation/faster-rcnn_r50_coco.py": "the paper labels once and trains again; labels on the fly are ours",
    "zero_shot/retinanet_r50_coco.py": _OURS,
    "cascade/cascade-rcnn_r50_coco.py": _OURS,
    "cascade/cascade-rcnn_r50_voc.py": _OURS,
    "copy_paste/mask-rcnn_r50_coco.py": _OURS,
    "label_disk/faster-rcnn_r50_coco.py": _OURS,
    "label_disk/faster-rcnn_r50_coco_second.py": _OURS,
    "dual_teacher/faster-rcnn_r50_coco.py": "the paper is about pixels; boxes are our port",
    "dual_teacher/faster-rcnn_r50_voc.py": "the paper is about pixels; boxes are our port",
    "hssda/faster-rcnn_r50_coco.py": "the paper is about boxes in 3D; images are our port",
    "hssda/faster-rcnn_r50_voc.py": "the paper is about boxes in 3D; images are our port",
}
