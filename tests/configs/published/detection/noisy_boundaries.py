"""Noisy Boundaries (Wang et al., CVPR 2022)."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..table import Recipe, Row
from . import shared

CONFIG = "NB:configs/noisyboundaries/coco/mask_rcnn_r50_fpn_1x_coco_pl.py"
DATA = "NB:configs/_base_/datasets/coco_instance_pl.py"
LABELS = "NB:configs/noisyboundaries/coco/mask_rcnn_r50_fpn_1x_coco_generatepl.py"
MODEL = "NB:configs/_base_/models/mask_rcnn_r50_fpn.py"
HEAD = "NB:mmdet/models/roi_heads/mask_heads/fcn_mask_head_ntm.py"
LOSS = "NB:mmdet/models/losses/cross_entropy_loss.py"
THRESHOLD = "NB:scripts/coco/filter_pl.py"
SIZE = "short side 400 to 1200, long side at most 1333; flip 0.5"
COLOR = "jitter 0.8 (0.4, 0.4, 0.4, 0.1); gray 0.2; blur 0.5 (0.1 to 2)"
HOLES = "cut out 1 to 5 regions of up to 264 x 160"
ONE_OF = "one of blur, sharpening, noise, inversion, brightness (7/8)"
WHY_COLOR = "albumentations is no requirement; the strong colors of Unbiased Teacher take its place"
DISTRIBUTION = "LabelDistributionThresholdHook"


def boundary(built):
    """How the map of boundaries acts, with its mean."""
    loss = built.model.student.roi_head.mask_head.loss_mask
    return loss.boundary, loss.factor


def layers(built):
    """Convolutions of the head: shared, of the fine branch, of the coarse one."""
    head = built.model.student.roi_head.mask_head
    return len(head.convs) - 1, 1, len(head.coarse_convs)


ROWS = (
    Row(
        "images of a step (labeled, unlabeled)",
        "32, on average 21.7 of them labeled",
        read.total_batch,
        f"{DATA}:67",
        (24, 8),
        "each labeled image is there 19 times in the list; numbers that 8 processes share",
    ),
    Row("images of a process", 4, lambda built: sum(read.batch(built)), f"{DATA}:61"),
    Row(
        "lists of images",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        read.lists,
        f"{DATA}:69",
    ),
    *shared.optimization(0.02, source=CONFIG, line=39),
    Row("clipped norm of gradients", None, read.clip, f"{CONFIG}:40"),
    Row("precision", "float32", read.precision, f"{CONFIG}:40"),
    Row("iterations", 90000, read.iterations, f"{CONFIG}:49"),
    Row("rate times 0.1 at", (60000, 80000), read.drops, f"{CONFIG}:48"),
    Row("burn-in", 0, read.model("burn_in"), f"{DATA}:63"),
    Row(
        "weights of labeled and unlabeled losses",
        "all images of a batch alike",
        read.model("sup_weight", "unsup_weight"),
        f"{DATA}:64",
        (0.75, 0.25),
        "the same, as three of four images are labeled",
    ),
    Row(
        "labels an image, against those of a labeled one",
        1.0,
        lambda built: built.hook(DISTRIBUTION).shares[0],
        f"{THRESHOLD}:48",
    ),
    Row("lowest threshold", 0.1, read.hook(DISTRIBUTION, "floor"), f"{THRESHOLD}:39"),
    Row(
        "masks of labels from",
        0.44,
        lambda built: built.config.model.teacher.model.test_cfg.rcnn.mask_thr_binary,
        f"{LABELS}:6",
    ),
    Row("convolutions (shared, fine, coarse)", (3, 1, 2), layers, f"{HEAD}:155"),
    Row(
        "map of boundaries, its mean",
        ("mean", 3.0),
        boundary,
        f"{LOSS}:163",
        ("pixel", 3.0),
        "there the loss is averaged first, so that the map is no more than its mean",
    ),
    Row(
        "losses (RPN class, box; RoI class, box)",
        ("binary cross entropy x 1", "L1 x 1", "cross entropy x 1", "smooth L1 (1) x 1"),
        models.TWO_STAGE_LOSSES,
        f"{CONFIG}:24",
        ("binary cross entropy x 1", "L1 x 1", "cross entropy x 1", "L1 x 1"),
        "MMDetection's Mask R-CNN, as for the other methods",
    ),
    Row(
        "sampled (RPN; RoI: number, positives)",
        ((256, 0.5), (512, 0.25)),
        models.two_stage_samplers,
        f"{MODEL}:79",
    ),
    shared.crowds(f"{MODEL}:78"),
    Row("labeled view", f"{SIZE}; {ONE_OF}; {HOLES}", read.view("sup"), f"{DATA}:20", f"{SIZE}; {COLOR}; {HOLES}", WHY_COLOR),
    Row(
        "view that is labeled",
        "short side 800, long side at most 1333",
        read.view("unsup_teacher"),
        f"{DATA}:49",
        SIZE,
        "the teacher labels a weak view in every iteration, and not once",
    ),
    Row("view of labels", f"{SIZE}; {ONE_OF}; {HOLES}", read.view("unsup_student"), f"{DATA}:20", f"{SIZE}; {COLOR}; {HOLES}", WHY_COLOR),
    *shared.backbone("torchvision://resnet50", shared.LEARNED, shared.TORCHVISION, source=MODEL, line=5),
    *shared.tested(0.05, 0.5, "short side 800, long side at most 1333", "student", source=MODEL, line=116),
)
RECIPES = (
    Recipe(
        config="noisy_boundaries/mask-rcnn_r50_coco.py",
        title="Noisy Boundaries on COCO",
        published_result="more than 6 points above the supervised baseline on Cityscapes, more than 7 on COCO (abstract)",
        protocol="mask AP on val2017, 8 processes",
        rows=ROWS,
        notes="The teacher is trained for 12 epochs of the labeled images there, and by `mask-rcnn_r50_coco_baseline.py` here.",
    ),
)
