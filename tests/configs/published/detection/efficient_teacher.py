"""Efficient Teacher (Xu et al., 2023): YOLOv5-L in the paper, YOLOX-L here."""

from __future__ import annotations

from .. import readers as read
from ..table import Recipe, Row

CONFIG = "ET:configs/ssod/coco-standard/yolov5l_coco_ssod_10_percent.yaml"
DEFAULTS = "ET:configs/defaults.py"
TRAINER = "ET:trainer/ssod_trainer.py"
DATA = "ET:utils/datasets_ssod.py"
PAPER = "the paper"
OFF = "off in the released config for COCO; the paper has it, and so has ours"
NO_MOSAIC = "a mosaic takes four images, and a view is made of one; the range of sizes is the same"
HSV = "hue, saturation and value by up to 5, 30, 30"

ROWS = (
    Row("images of a step of the optimizer (labeled, unlabeled)", (64, 64), read.total_batch, f"{CONFIG}:65"),
    Row("images of a process", (4, 4), read.batch, f"{TRAINER}:229"),
    Row(
        "lists of images",
        ("train2017_p10.0_labeled_data.txt", "train2017_p10.0_unlabeled_data.txt"),
        read.lists,
        f"{CONFIG}:47",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        "the splits of Soft Teacher, which all configs for COCO share",
    ),
    Row("learning rate", 0.01, read.rate, f"{CONFIG}:13"),
    Row("optimizer", "SGD, momentum 0.937", read.optimizer, f"{DEFAULTS}:48"),
    Row("weight decay", 5e-4, read.decay, f"{DEFAULTS}:49"),
    Row("iterations whose gradients add up", 2, read.setting("optim_wrapper.accumulative_counts"), f"{TRAINER}:465"),
    Row(
        "warm-up (iterations, from)",
        (1110, 0.0),
        read.warm_up,
        f"{CONFIG}:21",
        (1110, 0.001),
        "MMEngine's warm-up begins above 0; there biases begin at 0.1",
    ),
    Row("rate times 0.1 at", (), read.drops, f"{CONFIG}:14"),
    Row("clipped norm of gradients", None, read.clip, f"{TRAINER}:480"),
    Row("burn-in: 220 passes over the labeled images", 81400, read.model("burn_in"), "ET:README.md:202"),
    Row("iterations, with 80 passes over the unlabeled images", 347560, read.iterations, f"{CONFIG}:5"),
    Row("weights of labeled and unlabeled losses", (1.0, 3.0), read.model("sup_weight", "unsup_weight"), f"{CONFIG}:73"),
    Row("one pass for all images", True, read.model("joint_pass"), f"{TRAINER}:623"),
    Row(
        "average of the weights",
        {"momentum": 0.9999, "schedule": "0.9999 (1 - exp(-t / 2000))", "interval": 1},
        read.average,
        "ET:utils/torch_utils.py:318",
        {"momentum": 0.9999, "schedule": "mean", "interval": 1},
        "a running mean at first, which rises alike",
    ),
    Row(
        "scores of uncertain boxes and of labels",
        (0.1, 0.6),
        read.hook("AdaptiveAssignerHook", "low", "high"),
        f"{CONFIG}:78",
    ),
    Row("from this objectness uncertain boxes have a place", 0.99, read.hook("AdaptiveAssignerHook", "sure"), "ET:models/loss/ssod/ssod_loss.py:161"),
    Row(
        "place, class of nearly certain boxes",
        (True, False),
        read.hook("AdaptiveAssignerHook", "box", "cls"),
        f"{CONFIG}:85",
    ),
    Row(
        "thresholds by epoch",
        "fixed",
        read.hook("AdaptiveAssignerHook", "source"),
        f"{DEFAULTS}:264",
        "labels",
        OFF,
    ),
    Row("share of the expected boxes that are labels", 0.6, read.hook("AdaptiveAssignerHook", "reliable"), PAPER, recalled=True),
    Row("weight of the domain loss where it is on", 0.01, read.hook("DomainAlignmentHook", "weight"), f"{CONFIG}:88"),
    Row("exponent of the domain loss", 2.0, read.hook("DomainAlignmentHook", "gamma"), "ET:models/loss/loss.py:313"),
    Row(
        "labeled view",
        "mosaic; resize by 0.1 to 1.9; mixup 0.1; HSV 0.015, 0.7, 0.4; flip 0.5",
        read.view("sup"),
        f"{CONFIG}:15",
        f"resize by 0.1 to 1.9 of 640 x 640; crop 640 x 640; flip 0.5; {HSV}",
        NO_MOSAIC,
    ),
    Row(
        "weak view",
        "mosaic",
        read.view("unsup_teacher"),
        f"{DATA}:497",
        "short side 640, long side at most 640",
        NO_MOSAIC,
    ),
    Row(
        "strong view",
        "the same mosaic; resize by 0.2 to 1.8; HSV 0.5, 0.5, 0.5; cutout 0.5; AutoAugment 0.5; flip 0.5",
        read.view("unsup_student"),
        f"{DATA}:534",
        f"resize by 0.2 to 1.8 of 640 x 640; crop 640 x 640; {HSV}; "
        "with probability 0.5: erase 1 to 5 patches, sides up to 0.5; "
        "with probability 0.5: 1 color; flip 0.5",
        NO_MOSAIC,
    ),
    Row("weights that the student starts from", None, read.setting("load_from"), f"{CONFIG}:6"),
    Row("score of a test", 0.001, read.setting("model.detector.test_cfg.score_thr"), f"{DEFAULTS}:18"),
    Row("NMS of a test", 0.65, read.setting("model.detector.test_cfg.nms.iou_threshold"), f"{TRAINER}:549"),
    Row("image of a test", "short side 640, long side at most 640", read.test_view, f"{CONFIG}:64"),
)
RECIPES = (
    Recipe(
        config="efficient_teacher/yolox_l_coco.py",
        title="Efficient Teacher for YOLOX on COCO",
        published_result="10 %: 37.9; 5 %: 34.1, 2 %: 28.7, 1 %: 23.8, of YOLOv5-L",
        protocol="box AP on val2017, 8 processes",
        rows=ROWS,
        notes="The settings are those for YOLOv5-L, on a YOLOX-L with YOLOX's own losses: the results are not comparable. The README names a burn-in of 220 epochs, the released config none. When it ends the official code gives the student the averaged weights; here the student goes on.",
    ),
)
