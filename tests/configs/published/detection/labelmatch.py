"""LabelMatch (Chen et al., CVPR 2022): its adaptive threshold."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..built import Built
from ..table import Recipe, Row
from . import shared
from .shared import each, of_each_share, replaced
from .unbiased_teacher import PIXELS

COCO = "LM:configs/labelmatch/labelmatch_standard_paper.py"
VOC = "LM:configs/labelmatch/labelmatch_voc.py"
CODE = "LM:mmdet_extension/models/detectors/labelmatch.py"
UPDATE = "LM:mmdet_extension/core/hooks/labelmatch_hooks.py"
HOOK = "LabelDistributionThresholdHook"
MANY = "resize by 0.2 to 1.8 of 1024 x 1024"
COLOR = PIXELS.split("; noise")[0]


def uncertain(built: Built) -> str:
    """What is learned of uncertain boxes."""
    kept = built.hook(HOOK).uncertain_as == "ambiguous" and "SelfAssignmentHook" in read.hooks(built)
    return "soft loss between proposals; objects for the RPN" if kept else "nothing"


def views(config: str) -> tuple[Row, ...]:
    """Weak and strong views are mirrored alike, and have sizes of their own."""
    weak = "flip 0.5; short side 500 to 800, long side at most 1333"
    return (
        Row("labeled view", f"{MANY}; flip 0.5; {COLOR}", read.view("sup"), f"{config}:17"),
        Row("weak view", weak, read.view("unsup_teacher"), f"{config}:34"),
        Row("strong view", f"flip 0.5; {MANY}; {PIXELS}", read.view("unsup_student"), f"{config}:45"),
        Row("drawn once for all views", "flip 0.5", read.drawn_once("unsup_student"), f"{config}:29"),
    )


ON_COCO = (
    Row("images of a step (labeled, unlabeled)", (16, 16), read.total_batch, f"{COCO}:4"),
    Row("images of a process", (2, 2), read.batch, f"{COCO}:4"),
    Row(
        "lists of images",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        read.lists,
        f"{COCO}:78",
    ),
    *shared.optimization(0.01, source=COCO, line=97),
    Row("clipped norm of gradients", None, read.clip, f"{COCO}:99"),
    Row("precision", "float32", read.precision, f"{COCO}:99"),
    Row("iterations", each(160000), of_each_share(read.iterations), f"{COCO}:5"),
    Row("rate times 0.1 at", (), read.drops, f"{COCO}:106"),
    Row(
        "the first teacher",
        "a supervised checkpoint",
        read.start,
        f"{COCO}:136",
        "burn-in of 10,000 iterations",
        "one command instead of two; with `load_from=CHECKPOINT model.burn_in=0` it is the authors'",
    ),
    Row(
        "average of the weights",
        {"momentum": 0.996, "schedule": "constant", "interval": 1},
        read.average,
        f"{CODE}:46",
    ),
    Row("weight of labeled losses", 1.0, read.model("sup_weight"), f"{CODE}:69"),
    Row("weight of unlabeled losses", 2.0, read.model("unsup_weight"), f"{CODE}:47"),
    Row("shares of the expected boxes (reliable, uncertain)", (0.2, 1.0), read.hook(HOOK, "shares"), f"{CODE}:53"),
    Row("iterations between thresholds", 1000, read.hook(HOOK, "interval"), f"{COCO}:6"),
    Row("images that thresholds come from", 10000, read.hook(HOOK, "images"), f"{COCO}:125"),
    Row(
        "view of these images",
        "short side 800, long side at most 1333",
        read.view("unsup_teacher"),
        f"{COCO}:124",
        "flip 0.5; short side 500 to 800, long side at most 1333",
        "the weak view, which the thresholds are for",
    ),
    Row("threshold until the first", 0.9, read.hook(HOOK, "default"), f"{CODE}:50"),
    Row("lowest threshold", 0.05, read.hook(HOOK, "floor"), f"{UPDATE}:158"),
    Row(
        "uncertain boxes",
        "soft loss between proposals; objects for the RPN",
        uncertain,
        f"{CODE}:44",
    ),
    Row(
        "temperature of the teacher there",
        0.5,
        read.hook("SelfAssignmentHook", "temperature"),
        f"{CODE}:44",
    ),
    Row(
        "mean overlap and score of a mined box",
        (0.8, 0.8),
        read.hook("SelfAssignmentHook", "mining"),
        f"{CODE}:57",
    ),
    *shared.two_stage(),
    Row("a box for each class", False, models.box_per_class, f"{COCO}:195"),
    shared.crowds(f"{COCO}:209"),
    *views(COCO),
    *shared.backbone("torchvision://resnet50", shared.LEARNED, shared.TORCHVISION, source=COCO, line=147),
    *shared.tested(0.001, 0.5, "short side 800, long side at most 1333", "teacher", source=COCO, line=249),
)
ON_VOC = replaced(
    ON_COCO,
    Row(
        "lists of images",
        ("VOC2007 trainval.txt", "VOC2012 trainval.txt"),
        read.lists,
        f"{VOC}:81",
    ),
    Row("learning rate", 0.005, read.rate, f"{VOC}:103"),
    Row("iterations", 160000, read.iterations, f"{VOC}:5"),
    *views(VOC),
    Row("image of a test", "short side 800, long side at most 1333", read.test_view, f"{VOC}:59"),
)
RECIPES = (
    Recipe(
        config="labelmatch/faster-rcnn_r50_coco.py",
        title="LabelMatch on COCO",
        published_result="1 %: 25.81, 5 %: 32.70, 10 %: 35.49",
        protocol="box AP on val2017 (README, the mean of five splits), 8 processes, with the teacher",
        rows=ON_COCO,
        notes="Reliable and uncertain proposals are sampled together here, and reliable ones first there. A config of "
        "40,000 iterations with 32 + 32 images and a rate of 0.02 has 24.6, 31.6 and 34.4.",
    ),
    Recipe(
        config="labelmatch/faster-rcnn_r50_voc.py",
        title="LabelMatch on VOC",
        published_result="AP50 84.8, AP50:95 54.7",
        protocol="COCO's metric on VOC07 test, 8 + 8 images, 80,000 iterations (docs/performance.md), with the teacher",
        rows=ON_VOC,
        notes="The authors' file is for 160,000 iterations and two images of each kind in a process, which is the "
        "batch of the published number for no number of processes; the rows are the file with 8.",
    ),
)
