"""ARSL (Liu et al., CVPR 2023), in PaddlePaddle's code."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..table import Recipe, Row
from . import shared
from .dense_teacher import rise
from .unbiased_teacher import PIXELS

_BASE = "PD:configs/semi_det/arsl/_base_/"
MODEL = f"{_BASE}arsl_fcos_r50_fpn.yml"
READER = f"{_BASE}arsl_fcos_reader.yml"
SCHEDULE = f"{_BASE}optimizer_360k.yml"
LOSS = "PD:ppdet/modeling/losses/fcos_loss.py"
TRAINER = "PD:ppdet/engine/trainer_ssod.py"
WEAK = "short side 640 to 800 by 32, long side at most 1333; flip 0.5"

ROWS = (
    Row("images of a step (labeled, unlabeled)", (32, 32), read.total_batch, f"{SCHEDULE}:3"),
    Row("images of a process", (2, 2), read.batch, f"{READER}:35", (4, 4), "8 processes, as its rate is meant for"),
    Row(
        "lists of images",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        read.lists,
        "PD:configs/semi_det/_base_/coco_detection_percent_10.yml",
        recalled=True,
    ),
    Row("learning rate", 0.02, read.rate, f"{SCHEDULE}:3"),
    Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{SCHEDULE}:24"),
    Row("weight decay", 1e-4, read.decay, f"{SCHEDULE}:27"),
    Row("warm-up (iterations, from)", (1000, 1 / 3), read.warm_up, f"{SCHEDULE}:9"),
    Row("rate times 0.1 at", (), read.drops, f"{SCHEDULE}:7"),
    Row("clipped norm of gradients", None, read.clip, f"{SCHEDULE}:22"),
    Row("precision", "float32", read.precision, SCHEDULE, recalled=True),
    Row("iterations", 360000, read.iterations, f"{SCHEDULE}:12"),
    Row("burn-in", 0, read.model("burn_in"), f"{SCHEDULE}:18"),
    Row("the weight of unlabeled losses rises (iterations, how)", (2000, "linear"), rise, f"{SCHEDULE}:21"),
    Row(
        "average of the weights",
        {"momentum": 0.9996, "schedule": "constant", "interval": 1},
        read.average,
        f"{SCHEDULE}:19",
    ),
    Row("weights of labeled and unlabeled losses", (1.0, 1.0), read.model("sup_weight", "unsup_weight"), f"{SCHEDULE}:20"),
    Row(
        "probability of a candidate, highest limit of positives, overlap, positives without a candidate",
        {"candidate": 0.1, "ceiling": 0.4, "overlap": 0.6, "fallback": 10},
        read.hook("TaskSeparationHook", "rule"),
        f"{LOSS}",
        recalled=True,
    ),
    Row(
        "weights of classes, boxes, IoU",
        (2.0, 2.0, 0.5),
        read.hook("TaskSeparationHook", "cls", "box", "quality"),
        f"{MODEL}:75",
    ),
    Row("weight of the IoU of labels", 0.5, models.of_student("bbox_head", "iou_weight"), LOSS, recalled=True),
    Row(
        "losses of labels (box, IoU)",
        ("GIoU x 1", "binary cross entropy x 1"),
        models.losses("bbox_head.loss_bbox", "bbox_head.loss_centerness"),
        f"{MODEL}:71",
    ),
    Row(
        "boxes in strides, IoU by the box branch, radius of centers",
        (True, True, 1.5),
        models.of_student("bbox_head", "norm_on_bbox", "centerness_on_reg", "center_sample_radius"),
        f"{MODEL}:40",
    ),
    Row(
        "place of a point in its cell",
        0.0,
        models.of_student("bbox_head", "prior_generator.offset"),
        f"{READER}:28",
        0.5,
        "MMDetection's points are the centers of the cells",
    ),
    Row("labeled view, weak", WEAK, read.view("sup"), f"{READER}:5"),
    Row("labeled view, strong", f"{WEAK}; {PIXELS}", read.view("sup_2"), f"{READER}:10"),
    Row("weak view", WEAK, read.view("unsup_teacher"), f"{READER}:5"),
    Row("strong view", f"{WEAK}; {PIXELS}", read.view("unsup_student"), f"{READER}:10"),
    Row("drawn once for all views", WEAK, read.drawn_once("unsup_student"), f"{READER}:5"),
    Row(
        "initial weights",
        "ResNet50_cos_pretrained",
        models.initial_weights,
        f"{MODEL}:2",
        "torchvision://resnet50",
        "PaddlePaddle's weights are in a format of its own",
    ),
    Row("frozen stages beside the stem", 1, models.frozen_stages, f"{MODEL}:14"),
    Row("batch norm of the backbone", shared.FIXED, models.batch_norm, MODEL, recalled=True),
    Row("pixels", shared.TORCHVISION, models.pixels, f"{READER}:8"),
    Row("boxes of a test", {"score": 0.025, "NMS": 0.6, "boxes": 100}, models.boxes_of_a_test, f"{MODEL}:46"),
    Row("image of a test", "short side 800, long side at most 1333", read.test_view, f"{READER}:43"),
    Row("evaluated", "teacher", models.evaluated, TRAINER, "teacher and student", shared.BOTH, recalled=True),
)
RECIPES = (
    Recipe(
        config="arsl/fcos_r50_coco.py",
        title="ARSL on COCO",
        published_result="10 %: 36.9; 5 %: 33.1, 1 %: 22.8 (README, of other configs)",
        protocol="box AP on val2017, 8 processes",
        rows=ROWS,
        notes="The strong view is that of Unbiased Teacher; the code blurs before it turns gray, and erases before both.",
    ),
)
