"""Unbiased Teacher (Liu et al., ICLR 2021)."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..table import Recipe, Row
from . import shared
from .shared import each, of_each_share, replaced

COCO = "UT:configs/coco_supervision/faster_rcnn_R_50_FPN_sup10_run1.yaml"
VOC = "UT:configs/voc/voc07_voc12.yaml"
MODEL = "UT:configs/Base-RCNN-FPN.yaml"
DEFAULTS = "D2:detectron2/config/defaults.py"
PIXELS = (
    "jitter 0.8 (0.4, 0.4, 0.4, 0.1); gray 0.2; blur 0.5 (0.1 to 2); "
    "noise 0.7 (area 0.05 to 0.2, aspect 0.3 to 3.3); "
    "noise 0.5 (area 0.02 to 0.2, aspect 0.1 to 6); noise 0.3 (area 0.02 to 0.2, aspect 0.05 to 8)"
)
MAPPER = "UT:ubteacher/data/detection_utils.py"


def views(sides: str, source: str) -> tuple[Row, ...]:
    """All views have one geometry; the strong ones have other pixels."""
    weak = f"short side {sides} by 32, long side at most 1333; flip 0.5"
    return (
        Row("labeled view, weak", weak, read.view("sup"), source),
        Row("labeled view, strong", f"{weak}; {PIXELS}", read.view("sup_2"), f"{MAPPER}:23"),
        Row("weak view", weak, read.view("unsup_teacher"), source),
        Row("strong view", f"{weak}; {PIXELS}", read.view("unsup_student"), f"{MAPPER}:23"),
        Row(
            "drawn once for all views",
            weak,
            read.drawn_once("unsup_student"),
            "UT:ubteacher/data/dataset_mapper.py:145",
        ),
    )


ON_COCO = (
    Row("images of a step (labeled, unlabeled)", (32, 32), read.total_batch, f"{COCO}:20"),
    Row("images of a process", (1, 1), read.batch, "UT:README.md:170", (4, 4), "8 processes instead of 32"),
    Row(
        "lists of images",
        ("COCO_supervision.txt, 11,726 images", "the others with objects"),
        read.lists,
        "UT:dataseed/COCO_supervision.txt",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        "the split of STAC (11,828 images), which all methods here share",
    ),
    Row("learning rate", 0.01, read.rate, f"{COCO}:22"),
    Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{DEFAULTS}:515"),
    Row("weight decay", 1e-4, read.decay, f"{DEFAULTS}:519"),
    Row("warm-up (iterations, from)", (1000, 0.001), read.warm_up, f"{DEFAULTS}:528"),
    Row("clipped norm of gradients", None, read.clip, f"{DEFAULTS}:557"),
    Row("precision", "float32", read.precision, f"{DEFAULTS}:572"),
    Row("iterations", each(180000), of_each_share(read.iterations), f"{COCO}:19"),
    Row(
        "rate times 0.1 at",
        (179990, 179995),
        read.drops,
        f"{COCO}:18",
        (),
        "ten iterations before the end, which change nothing",
    ),
    Row("burn-in", 2000, read.model("burn_in"), f"{COCO}:34"),
    Row("the teacher then", "a copy of the student", read.after_burn_in, "UT:ubteacher/engine/trainer.py:504"),
    Row(
        "average of the weights",
        {"momentum": 0.9996, "schedule": "constant", "interval": 1},
        read.average,
        f"{COCO}:35",
    ),
    Row("weight of labeled losses", 1.0, read.model("sup_weight"), "UT:ubteacher/engine/trainer.py:581"),
    Row("weight of unlabeled losses", 4.0, read.model("unsup_weight"), f"{COCO}:36"),
    Row("threshold of the score", 0.7, read.hook("FixedThresholdHook", "score"), f"{COCO}:32"),
    Row(
        "weights of a pseudo box (class, box)",
        (1.0, 0.0),
        read.hook("TaskWeightHook", "cls", "box"),
        "UT:ubteacher/engine/trainer.py:572",
    ),
    Row(
        "losses (RPN class, box; RoI class, box)",
        ("binary cross entropy x 1", "L1 x 1", "softmax focal (1.5) x 1", "L1 x 1"),
        models.TWO_STAGE_LOSSES,
        "UT:ubteacher/modeling/roi_heads/fast_rcnn.py:74",
    ),
    Row(
        "losses divided by (RPN; RoI class, box)",
        ("256 of each image", "RoIs", "RoIs"),
        models.two_stage_normalizers,
        "D2:detectron2/modeling/proposal_generator/rpn.py:421",
        ("sampled anchors", "RoIs", "RoIs"),
        "an image has nearly always 256 anchors to sample",
    ),
    Row(
        "sampled (RPN; RoI: number, positives)",
        ((256, 0.25), (512, 0.25)),
        models.two_stage_samplers,
        f"{COCO}:11",
    ),
    Row(
        "overlaps (RPN; RoI: positive, negative)",
        ((0.7, 0.3), (0.5, 0.5)),
        models.two_stage_assigners,
        f"{DEFAULTS}:210",
    ),
    Row("crowds and difficult objects", "background", models.crowds, "UT:ubteacher/data/dataset_mapper.py:129"),
    *views("640 to 800", f"{MODEL}:41"),
    *shared.backbone(
        "open-mmlab://detectron2/resnet50_caffe", shared.FIXED, shared.CAFFE, source=COCO, line=4
    ),
    Row("boxes of a test", {"score": 0.05, "NMS": 0.5, "boxes": 100}, models.boxes_of_a_test, f"{DEFAULTS}:272"),
    Row("image of a test", "short side 800, long side at most 1333", read.test_view, f"{DEFAULTS}:57"),
    Row("evaluated", "teacher and student", models.evaluated, "UT:ubteacher/engine/trainer.py:698"),
)
ON_VOC = replaced(
    ON_COCO,
    Row("images of a step (labeled, unlabeled)", (16, 16), read.total_batch, f"{VOC}:24"),
    Row("images of a process", (2, 2), read.batch, "UT:README.md:153"),
    Row(
        "lists of images",
        ("VOC2007 trainval.txt", "VOC2012 trainval.txt"),
        read.lists,
        f"{VOC}:32",
    ),
    Row("learning rate", 0.01, read.rate, f"{VOC}:26"),
    Row("iterations", 180000, read.iterations, f"{VOC}:23"),
    Row(
        "rate times 0.1 at",
        (179990, 179995),
        read.drops,
        f"{VOC}:22",
        (),
        "ten iterations before the end, which change nothing",
    ),
    Row("burn-in", 30000, read.model("burn_in"), f"{VOC}:39"),
    Row(
        "average of the weights",
        {"momentum": 0.999, "schedule": "constant", "interval": 1},
        read.average,
        f"{VOC}:40",
    ),
    Row("weight of unlabeled losses", 2.0, read.model("unsup_weight"), f"{VOC}:41"),
    Row("threshold of the score", 0.7, read.hook("FixedThresholdHook", "score"), f"{VOC}:37"),
    Row(
        "crowds and difficult objects",
        "objects as all others",
        models.crowds,
        "D2:detectron2/data/datasets/pascal_voc.py:57",
        "ignore",
        "MMDetection's data set does not train on difficult objects; they are no background either",
    ),
    *views("480 to 800", f"{VOC}:18"),
    Row("image of a test", "short side 600, long side at most 1333", read.test_view, f"{VOC}:19"),
)
RECIPES = (
    Recipe(
        config="unbiased_teacher/faster-rcnn_r50_coco.py",
        title="Unbiased Teacher on COCO",
        published_result="1 %: 20.75; 0.5 %: 16.94, 2 %: 24.30, 5 %: 28.27, 10 %: 31.50 (recalled, but for 1 %)",
        protocol="box AP on val2017 (paper, the mean of five splits; 32 + 32 images on 32 GPUs)",
        rows=ON_COCO,
        notes="With 16 + 16 images on 8 GPUs the README has 20.16 at 1 %, 24.16 at 2 %, 27.84 at 5 % and 31.39 at "
        "10 %. Images are turned from BGR to PIL without a change of channels there, so that gray and hue "
        "mix red and blue; here they do not.",
    ),
    Recipe(
        config="unbiased_teacher/faster-rcnn_r50_voc.py",
        title="Unbiased Teacher on VOC",
        published_result="AP50 77.37, AP50:95 48.69 (paper, recalled)",
        protocol="COCO's metric on VOC07 test, 16 + 16 images",
        rows=ON_VOC,
        notes="The README has 80.51 and 54.48, with 8 + 8 images on 4 GPUs and the evaluator of VOC. Our "
        "evaluation prints both metrics.",
    ),
)
