"""Unbiased Teacher v2 (Liu et al., CVPR 2022)."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..built import Built
from ..table import Recipe, Row
from . import shared
from .shared import replaced
from .unbiased_teacher import PIXELS

_FOLDER = "UT2:configs/FCOS/coco-standard/fcos_R_50_ut2"
TEN = f"{_FOLDER}_sup10_run0.yaml"
ONE = f"{_FOLDER}_sup1_run0.yaml"
CODE = "UT2:ubteacher/modeling/fcos/fcos_outputs.py"
TRAINER = "UT2:ubteacher/engine/trainer.py"
CONFIG = "UT2:ubteacher/config.py"
MAPPER = "UT2:ubteacher/data/dataset_mapper.py"
DEFAULTS = "D2:detectron2/config/defaults.py"
WEAK = "short side 400 to 1200, long side at most 1333; flip 0.5"


def listening(built: Built) -> tuple[float, float]:
    """How much surer the teacher is, and how sure at least."""
    rule = built.hook("ListenHook").rule
    return rule.margin, rule.least


def effective(built: Built) -> tuple[float, ...]:
    """Weights of (class, center, box) losses of annotations, and of (class, center, sides) of pseudo boxes."""
    head, unsup = built.model.student.bbox_head, built.model.unsup_weight
    own = [loss.loss_weight for loss in (head.loss_cls, head.loss_centerness, head.loss_bbox)]
    sides = built.hook("ListenHook").rule.weight
    return (*own, own[0] * unsup, own[1] * unsup, sides * unsup)


def likelihood(built: Built) -> float:
    """The weight of the likelihood beside that of the boxes."""
    head = built.model.student.bbox_head
    return float(head.nll_weight / head.loss_bbox.loss_weight)


ON_TEN = (
    Row("images of a step (labeled, unlabeled)", (8, 8), read.total_batch, f"{TEN}:22"),
    Row("images of a process", (2, 2), read.batch, "UT2:README.md", recalled=True),
    Row(
        "lists of images",
        ("COCO_supervision.txt, 11,726 images", "the others with objects"),
        read.lists,
        "UT2:dataseed/COCO_supervision.txt",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        "the split of STAC (11,828 images), which all methods here share",
    ),
    Row("learning rate", 0.01, read.rate, f"{TEN}:24"),
    Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{DEFAULTS}:515"),
    Row("weight decay", 1e-4, read.decay, f"{DEFAULTS}:519"),
    Row("warm-up (iterations, from)", (1000, 0.001), read.warm_up, f"{DEFAULTS}:528"),
    Row("rate times 0.1 at", (180000,), read.drops, f"{TEN}:25", (), "the last iteration"),
    Row("clipped norm of gradients", None, read.clip, f"{DEFAULTS}:557"),
    Row("precision", "half precision", read.precision, f"{TEN}:28", "float32", shared.PRECISION),
    Row("iterations", 180000, read.iterations, f"{TEN}:26"),
    Row("burn-in", 30000, read.model("burn_in"), f"{TEN}:45"),
    Row("the teacher then", "a copy of the student", read.after_burn_in, f"{TRAINER}:214"),
    Row(
        "average of the weights",
        {"momentum": 0.9999, "schedule": "constant", "interval": 1},
        read.average,
        f"{TEN}:46",
    ),
    Row("threshold of both scores", 0.5, read.hook("FixedThresholdHook", "score"), f"{TEN}:40"),
    Row("the teacher is surer by, and than", (0.1, 0.8), listening, f"{CONFIG}:186"),
    Row(
        "weights of annotations (class, center, box), of pseudo boxes (class, center, sides)",
        (1 / 3, 1 / 3, 1 / 1.2, 2 / 3, 2 / 3, 0.2 / 1.2),
        effective,
        f"{TRAINER}:385",
    ),
    Row(
        "weight of the likelihood in the box loss",
        0.0025,
        likelihood,
        f"{CODE}:416",
        0.05,
        "the code multiplies by 0.05 twice; the paper's value is used once",
    ),
    Row(
        "losses (class, box, center)",
        ("focal (2, 0.25)", "GIoU", "binary cross entropy"),
        lambda built: tuple(
            text.rsplit(" x ", 1)[0]
            for text in models.losses(
                "bbox_head.loss_cls", "bbox_head.loss_bbox", "bbox_head.loss_centerness"
            )(built)
        ),
        f"{CONFIG}:141",
    ),
    Row(
        "longest distance in strides, centers by the box branch, near centers only",
        (16, True, False),
        models.of_student("bbox_head", "reg_max", "centerness_on_reg", "center_sampling"),
        f"{CONFIG}:166",
    ),
    Row("crowds and difficult objects", "background", models.crowds, f"{MAPPER}:129"),
    Row("labeled view, weak", WEAK, read.view("sup"), f"{TEN}:64"),
    Row("labeled view, strong", f"{WEAK}; {PIXELS}", read.view("sup_2"), "UT2:ubteacher/data/detection_utils.py:22"),
    Row("weak view", WEAK, read.view("unsup_teacher"), f"{TEN}:64"),
    Row("strong view", f"{WEAK}; {PIXELS}", read.view("unsup_student"), "UT2:ubteacher/data/detection_utils.py:22"),
    Row("drawn once for all views", WEAK, read.drawn_once("unsup_student"), f"{MAPPER}:93"),
    *shared.backbone(
        "open-mmlab://detectron2/resnet50_caffe", shared.FIXED, shared.CAFFE, source=TEN, line=3
    ),
    Row("boxes of a test", {"score": 0.05, "NMS": 0.6, "boxes": 100}, models.boxes_of_a_test, f"{CONFIG}:127"),
    Row("image of a test", "short side 800, long side at most 1333", read.test_view, f"{DEFAULTS}:57"),
    Row("evaluated", "teacher and student", models.evaluated, TRAINER, recalled=True),
)
ON_ONE = replaced(
    ON_TEN,
    Row(
        "lists of images",
        ("COCO_supervision.txt, 1,172 images", "the others with objects"),
        read.lists,
        "UT2:dataseed/COCO_supervision.txt",
        ("instances_train2017.1@1.json", "instances_train2017.1@1-unlabeled.json"),
        "the split of STAC, which all methods here share",
    ),
    Row("burn-in", 10000, read.model("burn_in"), f"{ONE}:45"),
    Row(
        "weights of annotations (class, center, box), of pseudo boxes (class, center, sides)",
        (1 / 4, 1 / 4, 1 / 1.2, 3 / 4, 3 / 4, 0.2 / 1.2),
        effective,
        f"{TRAINER}:385",
    ),
)
_PROTOCOL = "box AP on val2017, the mean of five splits (paper)"
_NOTES = (
    "In the burn-in the code does not divide the losses of annotations by 1 + weight; here it always does, so that the rate "
    "of what is learned does not change when pseudo boxes begin. 2 % have a burn-in of 15,000 and a weight of 3 there, 5 % one "
    "of 20,000 and a weight of 2: `--cfg-options percent=5 burn_in=20000 weight=2.0`."
)
RECIPES = (
    Recipe(
        config="unbiased_teacher_v2/fcos_r50_coco.py",
        title="Unbiased Teacher v2 on COCO",
        published_result="10 %: 32.61, 5 %: 30.08, 2 %: 26.03 (recalled)",
        protocol=_PROTOCOL,
        rows=ON_TEN,
        notes=_NOTES,
    ),
    Recipe(
        config="unbiased_teacher_v2/fcos_r50_coco.py",
        title="Unbiased Teacher v2 on 1 % of COCO",
        published_result="22.71 (recalled)",
        protocol=_PROTOCOL,
        rows=ON_ONE,
        options=dict(percent=1, burn_in=10000, weight=3.0),
        notes=_NOTES,
    ),
)
