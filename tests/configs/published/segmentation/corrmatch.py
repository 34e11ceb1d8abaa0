"""CorrMatch."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .deeplab import deeplab
from .unimatch import BLENDER, CLASSIC, LONG_SIDE, NEXT, PADDED, ROADS, STRONG

REPOSITORIES = {"CM": Repository("BBBBchan/CorrMatch", "44f9f9e")}
_SCRIPT, _MODEL = "CM:corrmatch.py", "CM:model/semseg/deeplabv3plus.py"
_DATA, _TRANSFORM = "CM:dataset/semi.py", "CM:dataset/transform.py"
_PROPAGATION = "CorrelationPropagationHook"


def _correlation(*names: str) -> Any:
    """Settings of the head that correlates pixels."""

    def found(built: Built) -> Any:
        head = built.model.auxiliary["correlation"]
        values = {
            "between": head.first.in_channels,
            "keys": head.first.out_channels,
            "dropout": head.dropout.p,
        }
        return tuple(values[name] for name in names)

    return found


def _rate(built: Built) -> float:
    groups = built.groups
    first = next(name for name in groups if name.startswith("student.backbone."))
    return groups["auxiliary.correlation.first.weight"][0] / groups[first][0]


def _threshold(built: Built) -> tuple[float, float]:
    hook = built.hook("CorrelationThresholdHook")
    return round(float(hook.threshold), 6), hook.momentum


def _training(data: str, **at: Any) -> list[Row]:
    yaml = f"CM:configs/{data}.yaml"
    return [
        Row("total batch", (8, 8), read.total_batch, f"{yaml}:9"),
        Row("processes", at["processes"], pixels.processes, f"{yaml}:9"),
        Row("learning rate", at["lr"], read.rate, f"{yaml}:10"),
        Row("learning rate of the head, times", at["head"], pixels.head_rate, f"{yaml}:11"),
        Row("learning rate of the correlation, times", at["head"], _rate, f"{_SCRIPT}:82"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_SCRIPT}:83"),
        Row("weight decay of biases", 1e-4, pixels.bias_decay, f"{_SCRIPT}:83"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{_SCRIPT}:83"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_SCRIPT}:272"),
        Row("weights of the losses (labeled, unlabeled)", (0.25, 0.25), pixels.weights, f"{_SCRIPT}:255"),
        Row("spread logits (labeled, unlabeled), times", (1.0, 0.5),
            read.hook(_PROPAGATION, "labeled_weight", "weight"), f"{_SCRIPT}:255"),
        Row("of the unlabeled, perturbed features", 0.5,
            read.hook("FeaturePerturbationHook", "share"), f"{_SCRIPT}:255"),
        Row("perturbed: features of", "labeled and weak, in the same pass", pixels.perturbed,
            f"{_MODEL}:60"),
        Row("dropped channels", 0.5, read.hook("FeaturePerturbationHook", "prob"), f"{_MODEL}:60"),
        Row("divergence of strong from weak: kind, weight", ("kl", 0.25),
            read.hook("ConsistencyHook", "distance", "weight"), f"{_SCRIPT}:246"),
        Row("threshold: start, momentum", (0.85, 0.999),
            _threshold, at["threshold"]),
        Row("pixels asked for their region", 128, read.hook(_PROPAGATION, "regions"), f"{_MODEL}:175"),
        Row("what a pixel gives, or gets, sums to 1", "source", read.hook(_PROPAGATION, "normalize"),
            f"{_MODEL}:168"),
        Row("projections: channels between, of a key; dropout", (256, at["classes"], 0.1),
            _correlation("between", "keys", "dropout"), f"{_MODEL}:45"),
        Row("largest side of the correlated map", "that of the features",
            lambda built: built.model.auxiliary["correlation"].max_side, f"{_MODEL}:160", ours=64,
            why="the weights of all pairs of pixels take 416 MB for a crop of 801"),
        Row("mean over", "valid", read.model("reduction"), f"{_SCRIPT}:231"),
        Row("averaged teacher", "none", pixels.average, f"{_SCRIPT}:155"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_SCRIPT}:162",
            ours="eval mode", why="the batch of a process is small for statistics of its own"),
        Row("views that share a pass", "labeled and weak; strong", pixels.passes, f"{_SCRIPT}:166",
            ours="labeled, weak and strong",
            why="batch statistics of all are steadier than those of either pass"),
        Row("CutMix: a box shows", "another crop of the same image", pixels.partner,
            f"{_SCRIPT}:135", ours="the next image of the batch", why=NEXT),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"), f"{_DATA}:58"),
        Row("CutMix: share of the view", (0.02, 0.4), pixels.cutmix("area"), f"{_TRANSFORM}:74"),
        Row("CutMix: height to width", (0.3, 1 / 0.3), pixels.cutmix("aspect"), f"{_TRANSFORM}:74"),
        Row("strong view: then", STRONG, pixels.colors(), f"{_DATA}:54"),
        Row("padding of crops", "black, not trained on", pixels.padding, f"{_TRANSFORM}:14",
            ours="the mean color, not trained on", why=PADDED),
        *deeplab(
            dict(
                backbone=at["backbone"], dilations="CM:model/backbone/resnet.py:91",
                stem="CM:model/backbone/resnet.py:79", files="CM:README.md:32",
                head=f"{_MODEL}:33", aspp=f"{_MODEL}:126",
            ),
            depth=101, files="resnet101.pth of the README", stride=8, last=(2, 4, 4),
            aspp=(12, 24, 36),
        ),
        Row("dropout in the head", 0.0, pixels.dropout, f"{_MODEL}:33"),
    ]  # fmt: skip


VOC = Recipe(
    config="corrmatch/deeplabv3plus_r101_voc12.py",
    title="CorrMatch, VOC 2012",
    published_result="mIoU 76.4, 78.5, 79.4, 80.6, 81.8 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, ResNet-101, crops of 321, best epoch (README)",
    rows=(
        *_training(
            "pascal", processes=2, lr=0.001, head=10, classes=21,
            threshold="CM:configs/pascal.yaml:16", backbone="CM:configs/pascal.yaml:19",
        ),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, "CM:configs/pascal.yaml:13"),
        Row("iterations, classic", {"1/16": 104880, "1/8": 104000, "1/4": 102160, "1/2": 98480,
            "1/1": 91120}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_SCRIPT}:118"),
        Row("iterations, blender", {"1/16": 99200, "1/8": 92560, "1/4": 79360},
            pixels.lengths(*BLENDER, protocol="blender"), f"{_SCRIPT}:118"),
        Row("weak view", "resize by 0.5 to 2 of its own size; crop 321 x 321; flip 0.5",
            read.view("unsup_teacher"), f"{_DATA}:43",
            ours="resize by 0.5 to 2 of 500 x 500; crop 321 x 321; flip 0.5", why=LONG_SIDE),
        Row("evaluation", "whole images, their own size", pixels.evaluation, "CM:evaluate.py:48"),
    ),
    notes="The script names two devices, a comment of its config four; the table takes two.",
)  # fmt: skip
CITYSCAPES = Recipe(
    config="corrmatch/deeplabv3plus_r101_cityscapes.py",
    title="CorrMatch, Cityscapes",
    published_result="mIoU 77.3, 78.5, 79.4, 80.4 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, ResNet-101, crops of 801, best epoch (README)",
    rows=(
        *_training(
            "cityscapes", processes=4, lr=0.005, head=1, classes=19,
            threshold="CM:util/thresh_helper.py:6", backbone="CM:configs/cityscapes.yaml:21",
        ),
        Row("loss of labeled images",
            "cross entropy of hard pixels, below 0.7, 50,000 or more of each image", pixels.sup_loss,
            "CM:configs/cityscapes.yaml:13"),
        Row("iterations", {"1/30": 86160, "1/16": 83760, "1/8": 78000, "1/4": 66960, "1/2": 44640},
            pixels.lengths(*ROADS), f"{_SCRIPT}:118"),
        Row("weak view", "resize by 0.5 to 2 of 2048 x 1024; crop 801 x 801; flip 0.5",
            read.view("unsup_teacher"), f"{_DATA}:43"),
        Row("evaluation", "windows of 801, 534 apart, the last one cut off", pixels.evaluation,
            "CM:evaluate.py:36", ours="windows of 801, 534 apart, the last one moved back",
            why="as UniMatch V2 does; MMSegmentation has no other windows"),
    ),
    notes="The config has no `thresh_init`, which the script reads; the default of its class stands "
    "here. Hard pixels: 100,000 of the two images of a process.",
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES)
