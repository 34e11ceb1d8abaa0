"""Dual pseudo-label polishing ("Mind the Gap", AAAI 2023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import readers as read
from ..built import Built
from ..table import Recipe, Row
from . import shared
from .shared import each, of_each_share, replaced

BASE = "DP:configs/coco/coco_base.py"
COCO = "DP:configs/coco/coco_part.py"
VOC_BASE = "DP:configs/voc/voc07_base.py"
VOC = "DP:configs/voc/voc07_rf12.py"
SIZE = "short side 400 to 1200, long side at most 1333"
VOC_SIZE = "short side 600, long side at most 1000"


def average(stop: int, source: str) -> Row:
    """The teacher stands still after the first drop of the rate."""
    official = {"momentum": 0.999, "schedule": "mean", "interval": 1, "stops after": stop}
    return Row("average of the weights", official, read.average, source)


def polish(*names: str) -> Callable[[Built], Any]:
    """Attributes of the hook."""
    return read.hook("PolishHook", *names)


ON_COCO = (
    Row(
        "images of a step (labeled, unlabeled)",
        "32, on average 10.5 of them labeled",
        read.total_batch,
        f"{COCO}:218",
        (8, 24),
        shared.BY_PROBABILITY,
    ),
    Row("images of a process", (1, 3), read.batch, f"{COCO}:193"),
    Row(
        "lists of images",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        read.lists,
        f"{COCO}:200",
    ),
    *shared.optimization(0.01, source=COCO, line=259),
    Row("clipped norm of gradients", None, read.clip, f"{COCO}:259"),
    Row("precision", "half precision", read.precision, f"{COCO}:264", "float32", shared.PRECISION),
    Row("iterations", each(180000), of_each_share(read.iterations), f"{COCO}:261"),
    Row("rate times 0.1 at", (120000, 160000), read.drops, f"{COCO}:260"),
    average(120000, f"{COCO}:254"),
    Row("average of the polishers: momentum, warm-up", (0.99, 101), polish("momentum", "gamma"), f"{COCO}:255"),
    Row("burn-in", 0, read.model("burn_in"), f"{COCO}:231"),
    Row("weight of labeled losses", 1.0, read.model("sup_weight"), f"{COCO}:237"),
    Row("weight of unlabeled losses", 3.0, read.model("unsup_weight"), f"{COCO}:237"),
    Row("weights of the polishers' losses", (1.0, 1.0), polish("box_weight", "cls_weight"), f"{COCO}:238"),
    Row("candidates above", 0.5, read.hook("FixedThresholdHook", "score"), f"{COCO}:233"),
    Row("classified from a confidence of", 0.9, polish("min_confidence"), f"{COCO}:245"),
    Row("a jittered box has a class from an overlap of", 0.7, polish("iou"), f"{COCO}:246"),
    Row("jittered for the box network", ((150, 0.2),), polish("box_jitter"), f"{COCO}:240"),
    Row("jittered for the class network", ((50, 0.06), (50, 0.2)), polish("cls_jitter"), f"{COCO}:241"),
    Row("shift of the context", 0.06, polish("context"), f"{COCO}:244"),
    Row(
        "boxes of an image that train a polisher",
        "all",
        polish("budget"),
        f"{COCO}:240",
        512,
        "60 objects would need 63,000 pooled regions; `budget=100000` is parity",
    ),
    Row(
        "hooks",
        ("TeacherEMAHook", "FixedThresholdHook", "PolishHook", "BackgroundScoreHook"),
        read.hooks,
        "DP:ssod/models/polish_teacher.py:301",
    ),
    *shared.two_stage(),
    shared.crowds(),
    *shared.views(SIZE, source=COCO, lines=(7, 131, 58)),
    *shared.backbone("torchvision://resnet50", shared.LEARNED, shared.TORCHVISION, source=BASE, line=105),
    *shared.tested(0.001, 0.5, "short side 800, long side at most 1333", "student", source=BASE, line=199),
)
ON_VOC = replaced(
    ON_COCO,
    Row("images of a step (labeled, unlabeled)", (8, 8), read.total_batch, f"{VOC}:218"),
    Row("images of a process", (1, 1), read.batch, f"{VOC}:192"),
    Row(
        "lists of images",
        ("VOC2007 trainval.txt", "VOC2012 trainval.txt"),
        read.lists,
        f"{VOC}:200",
    ),
    Row("iterations", 45000, read.iterations, f"{VOC}:258"),
    Row("rate times 0.1 at", (30000, 40000), read.drops, f"{VOC}:257"),
    average(30000, f"{VOC}:252"),
    Row("weight of unlabeled losses", 1.0, read.model("unsup_weight"), f"{VOC}:235"),
    *shared.views(VOC_SIZE, source=VOC, lines=(7, 132, 59)),
    *shared.tested(0.001, 0.5, VOC_SIZE, "student", source=VOC_BASE, line=163),
)
RECIPES = (
    Recipe(
        config="dual_polish/faster-rcnn_r50_coco.py",
        title="Dual polishing on COCO",
        published_result="1 %: 23.80, 5 %: 32.15, 10 %: 35.30",
        protocol="box AP on val2017 (README), 8 processes, with the student",
        rows=ON_COCO,
    ),
    Recipe(
        config="dual_polish/faster-rcnn_r50_voc.py",
        title="Dual polishing on VOC",
        published_result="AP50 82.50, AP50:95 52.40",
        protocol="COCO's metric on VOC07 test (README), 8 processes, with the student",
        rows=ON_VOC,
    ),
)
