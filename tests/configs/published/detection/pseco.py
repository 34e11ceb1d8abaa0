"""PseCo (Li et al., ECCV 2022)."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..table import Recipe, Row
from . import shared
from .soft_teacher import SIZE

BASE = "PC:configs/PseCo/base.py"
# The variant with a cross entropy: MMDetection's box head has no sigmoid for each class.
CONFIG = "PC:configs/PseCo/PseCo_faster_rcnn_celoss_r50_caffe_fpn_coco_180k.py"
CODE = "PC:ssod/models/PseCo_frcnn.py"

ROWS = (
    Row(
        "images of a step (labeled, unlabeled)",
        "40, on average 10.6 of them labeled",
        read.total_batch,
        f"{CONFIG}:169",
        (8, 32),
        shared.BY_PROBABILITY,
    ),
    Row("images of a process", (1, 4), read.batch, f"{CONFIG}:152"),
    Row(
        "lists of images",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        read.lists,
        f"{CONFIG}:157",
    ),
    *shared.optimization(0.01, source=BASE, line=254),
    Row("clipped norm of gradients", None, read.clip, BASE, recalled=True),
    Row("precision", "half precision", read.precision, f"{BASE}:259", "float32", shared.PRECISION),
    Row("iterations", 180000, read.iterations, f"{BASE}:256"),
    Row("rate times 0.1 at", (120000,), read.drops, f"{BASE}:255"),
    Row(
        "average of the weights",
        {"momentum": 0.999, "schedule": "mean", "interval": 1},
        read.average,
        f"{CONFIG}:200",
    ),
    Row("burn-in", 0, read.model("burn_in"), f"{CONFIG}:200"),
    Row("weights of labeled and unlabeled losses", (1.0, 2.0), read.model("sup_weight", "unsup_weight"), f"{CONFIG}:182"),
    Row("threshold of RPN, classes and boxes", 0.6, read.hook("FixedThresholdHook", "score"), f"{CONFIG}:179"),
    Row(
        "overlap of a bag, overlaps that are summed",
        (0.4, 12),
        read.hook("PredictionGuidedAssignHook", "assigner.bag_iou", "assigner.topk"),
        f"{CONFIG}:186",
    ),
    Row("exponent of the probability", 0.5, read.hook("PredictionGuidedAssignHook", "assigner.alpha"), f"{CODE}:591"),
    Row("exponent of the agreement", 2.0, read.hook("ConsistencyVotingHook", "power"), f"{CODE}:312"),
    Row("weight of the half view", 1.0, read.hook("HalfViewHook", "weight"), f"{CODE}:193"),
    Row(
        "hooks",
        ("TeacherEMAHook", "FixedThresholdHook", "PredictionGuidedAssignHook", "ConsistencyVotingHook", "HalfViewHook"),
        read.hooks,
        f"{CODE}:186",
    ),
    Row("levels of the neck", 6, models.of_student("neck", "num_outs"), f"{CONFIG}:5"),
    Row(
        "losses (RPN class, box; RoI class, box)",
        ("binary cross entropy x 1", "L1 x 1", "cross entropy x 1", "L1 x 1"),
        models.TWO_STAGE_LOSSES,
        f"{shared.FASTER_RCNN}:38",
    ),
    Row(
        "sampled (RPN; RoI: number, positives)",
        ((256, 0.5), (512, 0.25)),
        models.two_stage_samplers,
        f"{shared.FASTER_RCNN}:74",
    ),
    shared.crowds(),
    *shared.views(SIZE, source=BASE, lines=(22, 147, 74)),
    *shared.backbone("open-mmlab://detectron2/resnet50_caffe", shared.FIXED, shared.CAFFE, source=BASE, line=11),
    *shared.tested(0.05, 0.5, "short side 800, long side at most 1333", "teacher", source=CONFIG, line=190),
)
RECIPES = (
    Recipe(
        config="pseco/faster-rcnn_r50_coco.py",
        title="PseCo on COCO",
        published_result="10 %: 36.06, 5 %: 32.50; 2 %: 27.77, 1 %: 22.43 with 90,000 iterations (README)",
        protocol="box AP on val2017 with the teacher, the mean of five splits, 8 processes",
        rows=ROWS,
        notes="The results are those of a focal loss with a sigmoid for each class; the settings are the authors' for a cross entropy. The scripts name a burn-in and a ramp, which nothing in the code reads.",
    ),
)
