"""Guided distillation (Berrada et al., WACV 2024)."""

from __future__ import annotations

from .. import models
from .. import readers as read
from ..table import Recipe, Row
from . import shared
from .shared import each, of_each_share

BASE = "GD:configs/coco/instance-segmentation/Base-COCO-InstanceSegmentation.yaml"
MODEL = "GD:configs/coco/instance-segmentation/maskformer2_R50_bs16_50ep.yaml"
SSL = "GD:config/add_cfg.py"
CODE = "GD:mask2former/maskformer_model.py"
LOOP = "GD:modules/train_loop.py"
IMAGES = "GD:mask2former/data/dataset_mappers/coco_image_dataset_mapper.py"
LABELED = "GD:mask2former/data/dataset_mappers/coco_instance_new_baseline_dataset_mapper.py"
DECAY = "GD:train_net.py"
GEOMETRY = "flip 0.5; resize by 0.1 to 2 of 1024 x 1024; crop 1024 x 1024"
HEAD = "panoptic_head"

ROWS = (
    Row("images of a step (labeled, unlabeled)", (16, 16), read.total_batch, f"{BASE}:20"),
    Row(
        "lists of images",
        ("instances_train2017_10.json", "coco_unlabel_train.json"),
        read.lists,
        "GD:tools/datasets/generate_coco_splits.py:54",
        ("instances_train2017.1@10.json", "instances_train2017.1@10-unlabeled.json"),
        "the split of STAC, which all methods here share",
    ),
    Row("learning rate", 1e-4, read.setting("optim_wrapper.optimizer.lr"), f"{BASE}:21"),
    Row(
        "rate and decay of the backbone",
        (1e-5, 0.05),
        read.rate_and_decay("student.backbone.layer4.0.conv1.weight"),
        f"{BASE}:28",
    ),
    Row(
        "rate and decay of the queries",
        (1e-4, 0.0),
        read.rate_and_decay(f"student.{HEAD}.query_feat.weight"),
        f"{DECAY}:281",
    ),
    Row("optimizer", "AdamW", read.optimizer, f"{BASE}:27"),
    Row("weight decay", 0.05, read.decay, f"{BASE}:26"),
    Row("warm-up (iterations, from)", None, read.warm_up, f"{BASE}:24"),
    Row("clipped norm of gradients", 0.01, read.clip, f"{BASE}:32"),
    Row("precision", "half precision", read.precision, f"{BASE}:35", "float32", shared.PRECISION),
    Row("iterations", each(368750), of_each_share(read.iterations), f"{BASE}:23"),
    Row("rate times 0.1 at", (327778, 355092), read.drops, f"{BASE}:22"),
    Row("iterations with the frozen teacher", 50000, read.hook("GuidedBurnInHook", "length"), f"{SSL}:17"),
    Row(
        "average of the weights after them",
        {"momentum": 0.9996, "schedule": "constant", "interval": 1},
        read.average,
        f"{SSL}:20",
    ),
    Row("burn-in on labels alone", 0, read.model("burn_in"), f"{LOOP}:688"),
    Row("weights of labeled and unlabeled losses", (1.0, 2.0), read.model("sup_weight", "unsup_weight"), f"{CODE}:487"),
    Row("least probability of a class", 0.7, read.hook("FixedThresholdHook", "score"), f"{CODE}:302"),
    Row("least size of a mask", 5.0, read.hook("QueryMaskLabelHook", "min_pixels"), f"{CODE}:302"),
    Row(
        "hooks",
        ("TeacherEMAHook", "GuidedBurnInHook", "QueryMaskLabelHook", "FixedThresholdHook"),
        read.hooks,
        f"{LOOP}:688",
    ),
    Row(
        "losses (class, mask, Dice)",
        ("cross entropy x 2", "binary cross entropy x 5", "Dice x 5"),
        models.losses(f"{HEAD}.loss_cls", f"{HEAD}.loss_mask", f"{HEAD}.loss_dice"),
        f"{MODEL}:23",
    ),
    Row(
        "weight of the class for nothing",
        0.1,
        lambda built: built.model.student.panoptic_head.class_weight[-1],
        f"{MODEL}:22",
    ),
    Row("queries", 100, models.of_student(HEAD, "num_queries"), f"{MODEL}:27"),
    Row(
        "points, oversampled, uncertain",
        (12544, 3.0, 0.75),
        models.of_student(HEAD, "num_points", "oversample_ratio", "importance_sample_ratio"),
        f"{MODEL}:35",
    ),
    Row("layers of the decoder", 9, models.of_student(HEAD, "num_transformer_decoder_layers"), f"{MODEL}:34"),
    Row("sides padded to a multiple of", 32, models.padding, f"{MODEL}:33"),
    Row("crowds and difficult objects", "background", models.crowds, f"{LABELED}:173"),
    Row("labeled view", GEOMETRY, read.view("sup"), f"{LABELED}:43"),
    Row("weak view", GEOMETRY, read.view("unsup_teacher"), f"{IMAGES}:84"),
    Row(
        "strong view",
        f"{GEOMETRY}; jitter 0.8 (0.4, 0.4, 0.4, 0.1); gray 0.2; blur 0.5 (0.1 to 2)",
        read.view("unsup_student"),
        f"{IMAGES}:44",
    ),
    Row("drawn once for all views", GEOMETRY, read.drawn_once("unsup_student"), f"{IMAGES}:176"),
    Row(
        "initial weights",
        "detectron2://ImageNetPretrained/torchvision/R-50.pkl",
        models.initial_weights,
        f"{BASE}:5",
        "torchvision://resnet50",
        "the same weights, in the file of torchvision",
    ),
    Row("frozen stages beside the stem", -1, models.frozen_stages, f"{BASE}:3"),
    Row("batch norm of the backbone", shared.FIXED, models.batch_norm, f"{BASE}:14"),
    Row("pixels", shared.TORCHVISION, models.pixels, f"{BASE}:6"),
    Row("image of a test", "short side 800, long side at most 1333", read.test_view, "GD:data/detection_utils.py", recalled=True),
    Row("evaluated", "student", models.evaluated, f"{SSL}:22", "teacher and student", shared.BOTH),
)
RECIPES = (
    Recipe(
        config="guided_distillation/mask2former_r50_coco.py",
        title="Guided distillation on COCO",
        published_result="34.1 at 1 % with a ViT-L of DINOv2 (abstract); no table of the R50 was read",
        protocol="mask AP on val2017; the README names 2 processes",
        rows=ROWS,
        notes="Both losses are taken in every iteration. Labeled images with rare classes are drawn more often there "
        "(RepeatFactorTrainingSampler, threshold 10); here all alike. A threshold of the mask's score, 0.95, is an argument there that nothing reads.",
    ),
)
