"""Dense Teacher (Zhou et al., ECCV 2022)."""

from __future__ import annotations

from typing import Any

from .. import models
from .. import readers as read
from ..built import Built
from ..table import Recipe, Row
from . import shared
from .shared import replaced
from .unbiased_teacher import PIXELS

TEN = "DT:coco-p10/config.py"
ONE = "DT:coco-p1/config.py"
FULL = "DT:coco-full/config.py"
CODE = "DT:coco-p10/runner.py"
VIEWS = "DT:coco-p10/augmentations.py"
DEFAULTS = "CV:cvpods/configs/base_config.py"
HEAD = "CV:cvpods/configs/fcos_config.py"
WEAK = "short side 640 to 800 by 32, long side at most 1333; flip 0.5"


def clipped_value(built: Built) -> Any:
    """The value that each number of a gradient is clipped at."""
    settings = built.optim_wrapper.clip_grad_kwargs
    return settings and settings.get("clip_value")


def rise(built: Built) -> tuple[int, str]:
    """How the weight of unlabeled losses rises after the burn-in."""
    return built.model.unsup_ramp["length"], built.model.unsup_ramp["kind"]


ON_TEN = (
    Row("images of a step (labeled, unlabeled)", (16, 16), read.total_batch, f"{TEN}:63"),
    Row("images of a process", (2, 2), read.batch, f"{DEFAULTS}:147"),
    Row(
        "lists of images",
        ("COCO_supervision.txt, 11,726 images", "the others with objects"),
        read.lists,
        f"{TEN}:13",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        "the split of STAC (11,828 images), which all methods here share",
    ),
    Row("learning rate", 0.01, read.rate, f"{TEN}:61"),
    Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{DEFAULTS}:123"),
    Row("weight decay", 1e-4, read.decay, f"{DEFAULTS}:119"),
    Row("warm-up (iterations, from)", (1000, 0.001), read.warm_up, f"{TEN}:56"),
    Row("rate times 0.1 at", (179995,), read.drops, f"{TEN}:55", (), "five iterations before the end"),
    Row("clipped value of gradients", 1.0, clipped_value, f"{DEFAULTS}:132"),
    Row("precision", "float32", read.precision, f"{DEFAULTS}:203"),
    Row("iterations", 180000, read.iterations, f"{TEN}:54"),
    Row("burn-in", 5000, read.model("burn_in"), f"{TEN}:76"),
    Row("the weight of unlabeled losses rises (iterations, how)", (5000, "linear"), rise, f"{TEN}:82"),
    Row(
        "the teacher is",
        "a copy of the student at iteration 3,000, then its average",
        read.after_burn_in,
        f"{TEN}:72",
        "a copy of the student",
        "made when the burn-in ends and the teacher is first asked",
    ),
    Row(
        "average of the weights",
        {"momentum": 0.9996, "schedule": "constant", "interval": 1},
        read.average,
        f"{TEN}:70",
    ),
    Row("weights of labeled and unlabeled losses", (1.0, 1.0), read.model("sup_weight", "unsup_weight"), f"{TEN}:80"),
    Row("region: share of the places", 0.01, read.hook("DenseLabelHook", "ratio"), f"{TEN}:79"),
    Row(
        "the share is taken",
        "of all images of a process, padding counted",
        lambda built: "of each image" if built.hook("DenseLabelHook").per_image else "of the batch",
        f"{CODE}:312",
        "of the batch",
        "places in the padding, where nothing is found, are neither counted nor learned",
    ),
    Row(
        "weights of classes, boxes, quality",
        (4.0, 1.0, 1.0),
        read.hook("DenseLabelHook", "cls", "box", "quality"),
        f"{TEN}:84",
    ),
    Row("exponent of the quality focal loss", 2.0, read.hook("DenseLabelHook", "gamma"), f"{CODE}:353"),
    Row(
        "losses of labels (class, box, quality)",
        ("focal (2, 0.25) x 1", "GIoU x 1", "binary cross entropy x 1"),
        models.losses("bbox_head.loss_cls", "bbox_head.loss_bbox", "bbox_head.loss_centerness"),
        f"{TEN}:35",
    ),
    Row(
        "the quality is",
        "IoU",
        lambda built: type(built.model.student.bbox_head).__name__.removesuffix("FCOSHead"),
        f"{TEN}:30",
    ),
    Row(
        "boxes in strides, quality by the box branch, radius of centers",
        (True, True, 1.5),
        models.of_student("bbox_head", "norm_on_bbox", "centerness_on_reg", "center_sample_radius"),
        f"{TEN}:31",
    ),
    Row(
        "place of a point in its cell",
        0.0,
        models.of_student("bbox_head", "prior_generator.offset"),
        f"{HEAD}:22",
        0.5,
        "MMDetection's points are the centers of the cells",
    ),
    Row("crowds and difficult objects", "background", models.crowds, "DT:coco-p10/dataset.py:120"),
    Row("labeled view, weak", WEAK, read.view("sup"), f"{TEN}:98"),
    Row("labeled view, strong", f"{WEAK}; {PIXELS}", read.view("sup_2"), f"{VIEWS}:70"),
    Row("weak view", WEAK, read.view("unsup_teacher"), f"{TEN}:98"),
    Row("strong view", f"{WEAK}; {PIXELS}", read.view("unsup_student"), f"{VIEWS}:70"),
    Row("drawn once for all views", WEAK, read.drawn_once("unsup_student"), "DT:coco-p10/dataset.py:127"),
    *shared.backbone(
        "open-mmlab://detectron2/resnet50_caffe", shared.FIXED, shared.CAFFE, source=TEN, line=27
    ),
    Row("boxes of a test", {"score": 0.05, "NMS": 0.6, "boxes": 100}, models.boxes_of_a_test, f"{HEAD}:33"),
    Row("image of a test", "short side 800, long side at most 1333", read.test_view, f"{TEN}:103"),
    Row("evaluated", "teacher and student", models.evaluated, f"{CODE}:147"),
)
ON_ONE = replaced(
    ON_TEN,
    Row("images of a step (labeled, unlabeled)", (8, 8), read.total_batch, f"{ONE}:63"),
    Row("images of a process", (1, 1), read.batch, f"{ONE}:64"),
    Row(
        "lists of images",
        ("COCO_supervision.txt, 1,172 images", "the others with objects"),
        read.lists,
        f"{ONE}:13",
        ("instances_train2017.1@1.json", "instances_train2017.1@1-unlabeled.json"),
        "the split of STAC, which all methods here share",
    ),
    Row(
        "weights of classes, boxes, quality",
        (3.0, 1.0, 1.0),
        read.hook("DenseLabelHook", "cls", "box", "quality"),
        f"{ONE}:84",
    ),
)
ON_FULL = replaced(
    ON_TEN,
    Row(
        "lists of images",
        ("instances_train2017.json", "image_info_unlabeled2017.json"),
        read.lists,
        f"{FULL}:9",
    ),
    Row("iterations", 540000, read.iterations, f"{FULL}:47"),
    Row("rate times 0.1 at", (539995,), read.drops, f"{FULL}:48", (), "five iterations before the end"),
    Row("burn-in", 20000, read.model("burn_in"), f"{FULL}:69"),
    Row("the weight of unlabeled losses rises (iterations, how)", (20000, "linear"), rise, f"{FULL}:75"),
    Row(
        "the teacher is",
        "a copy of the student at iteration 10,000, then its average",
        read.after_burn_in,
        f"{FULL}:65",
        "a copy of the student",
        "made when the burn-in ends and the teacher is first asked",
    ),
    Row(
        "weights of classes, boxes, quality",
        (2.0, 1.0, 1.0),
        read.hook("DenseLabelHook", "cls", "box", "quality"),
        f"{FULL}:77",
    ),
)
_PROTOCOL = "box AP on val2017, 8 processes (recalled)"
_NOTES = (
    "The score of a test is the class probability times the IoU here, as in MMDetection's FCOS, and the root of "
    "that product there: the order of the boxes is the same."
)
RECIPES = (
    Recipe(
        config="dense_teacher/fcos_r50_coco.py",
        title="Dense Teacher on COCO",
        published_result="35.11; with sides of 400 to 1200 37.13 (recalled)",
        protocol=_PROTOCOL,
        rows=ON_TEN,
        notes=_NOTES,
    ),
    Recipe(
        config="dense_teacher/fcos_r50_coco.py",
        title="Dense Teacher on 1 % of COCO",
        published_result="19.64; with sides of 400 to 1200 22.38 (recalled)",
        protocol=_PROTOCOL,
        rows=ON_ONE,
        options=dict(percent=1, batch=(1, 1), total_batch=(8, 8), cls_weight=3.0),
        notes=_NOTES,
    ),
    Recipe(
        config="dense_teacher/fcos_r50_coco-full.py",
        title="Dense Teacher on all of COCO",
        published_result="46.12 (recalled)",
        protocol=_PROTOCOL,
        rows=ON_FULL,
        notes=_NOTES,
    ),
)
