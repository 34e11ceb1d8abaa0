"""AugSeg and iMAS."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .deeplab import deeplab
from .unimatch import BLENDER, CLASSIC, ROADS

REPOSITORIES = {
    "AS": Repository("ZhenZHAO/AugSeg", "7ead870"),
    "IM": Repository("ZhenZHAO/iMAS", "96e57e0"),
}
_SCRIPT, _CUT = "AS:train_semi.py", "AS:augseg/dataset/augs_ALIA.py"
_INTENSITY, _DECODER = "AS:augseg/dataset/augs_TIBA.py", "AS:augseg/models/decoder.py"
_MIX = "AdaptiveCutMixHook"


def _intensity(built: Built) -> tuple[int, int, bool]:
    """Of the changes of a strong view: at most, drawn from, a random number of them."""
    (step,) = [x for x in built.views["unsup_student"][1] if type(x).__name__ == "RandomIntensity"]
    return step.max_ops, len(step.operations), step.random_number


def _rows(yaml: str, **at: Any) -> list[Row]:
    lr, net = at["lr_at"], at["net"]
    view = f"resize by 0.5 to 2 of {at['base']}; crop {at['size']} x {at['size']}; flip 0.5"
    return [
        Row("total batch", (16, 16), read.total_batch, f"{yaml}:9"),
        Row("processes", at["processes"], pixels.processes, f"{yaml}:{lr}"),
        Row("learning rate", at["lr"], read.rate, f"{yaml}:{lr}"),
        Row("learning rate of the head, times", at["head"], pixels.head_rate, f"{_SCRIPT}:96"),
        Row("weight decay, of all parameters", at["decay"], read.decay, f"{yaml}:{lr + 2}"),
        Row("weight decay of biases", at["decay"], pixels.bias_decay, f"{_SCRIPT}:105"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{yaml}:{lr - 2}"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{yaml}:{lr + 4}"),
        Row("loss of labeled images", at["loss"], pixels.sup_loss, f"{yaml}:{at['loss_at']}"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{_SCRIPT}:384"),
        Row("threshold", at["score"], pixels.threshold, f"{yaml}:{at['score_at']}", **at["none"]),
        Row("mean over", "all pixels", read.model("reduction"),
            "AS:augseg/utils/loss_helper.py:315", ours="valid", why="padding is no pixel"),
        Row("averaged teacher", at["average"], pixels.average, f"{_SCRIPT}:394"),
        Row("buffers of the teacher", "ema", read.hook("TeacherEMAHook", "buffers"), f"{_SCRIPT}:411"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{_SCRIPT}:324"),
        Row("views that share a pass", "labeled and strong", pixels.passes, f"{_SCRIPT}:363"),
        Row("changes of intensity: at most, drawn from, in random number", (3, 11, True), _intensity,
            f"{yaml}:18"),
        Row("lambda of boxes, annotated and not: Beta", ((8, 2), (4, 4)),
            read.hook(_MIX, "labeled", "unlabeled"), f"{_CUT}:55"),
        Row("labeled view", view, read.view("sup"), f"{_INTENSITY}:57"),
        Row("weak view", view, read.view("unsup_teacher"), f"{_INTENSITY}:57"),
        Row("padding of crops", "the mean color, not trained on", pixels.padding, f"{_INTENSITY}:96"),
        *deeplab(
            dict(
                backbone=f"{yaml}:{net}", stem="AS:augseg/models/resnet.py:170",
                files="AS:README.md:88", dilations=f"{yaml}:{net + at['stride']}", head=f"{_DECODER}:41",
                aspp=f"{yaml}:{net + at['stride'] + 7}",
            ),
            depth=101, files="resnet101.pth of the README", stride=16, last=(2, 4, 8),
            aspp=(6, 12, 18),
        ),
        Row("dropout in the head", 0.0, pixels.dropout, f"{_DECODER}:47"),
    ]  # fmt: skip


_VOC = "AS:training-logs/4 Semi-Voc-blender/r101-662/config_semi.yaml"
_CITY = "AS:exps/zrun_citys/citys_semi744/config_semi.yaml"
VOC = Recipe(
    config="augseg/deeplabv3plus_r101_voc12.py",
    title="AugSeg, VOC 2012",
    published_result="mIoU 71.09, 75.45, 78.80, 80.33, 81.36 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, ResNet-101, crops of 513, best epoch of the averaged model (README)",
    rows=(
        *_rows(
            _VOC, lr=0.001, lr_at=40, head=10, decay=1e-4, processes=2, loss="cross entropy",
            loss_at=68, score=0.95, score_at=52, none={}, average="min(1 - 1/(t+1), 0.999)",
            base="500 x 500", size=513, net=82, stride=5,
        ),
        Row("iterations, classic", {"1/16": 52400, "1/8": 52000, "1/4": 51040, "1/2": 49200,
            "1/1": 45520}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_VOC}:34"),
        Row("iterations, blender", {"1/16": 49600, "1/8": 46240, "1/4": 39680},
            pixels.lengths(*BLENDER, protocol="blender"), f"{_VOC}:34"),
        Row("evaluation", "whole images, their own size", pixels.evaluation, f"{_SCRIPT}:463"),
    ),
    notes="In its first epoch the authors' teacher is a copy of the student in every step.",
)  # fmt: skip
CITYSCAPES = Recipe(
    config="augseg/deeplabv3plus_r101_cityscapes.py",
    title="AugSeg, Cityscapes",
    published_result="mIoU 75.22, 77.82, 79.56, 80.43 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, ResNet-101, crops of 800, best epoch of the averaged model (README)",
    rows=(
        *_rows(
            _CITY, lr=0.01, lr_at=42, head=1, decay=5e-4, processes=4, loss_at=67,
            loss="cross entropy of hard pixels, below 0.7, 25,000 or more of each image",
            score=-0.7, score_at=51, none=dict(ours=0.0, why="every pixel, too"),
            average="min(1 - 1/(t+1), 0.996)", base="2048 x 1024", size=800, net=83, stride=7,
        ),
        Row("iterations", {"1/30": 42960, "1/16": 41760, "1/8": 38880, "1/4": 33360, "1/2": 22320},
            pixels.lengths(*ROADS), f"{_CITY}:36"),
        Row("evaluation", "windows of 800, 533 apart, the last one cut off", pixels.evaluation,
            f"{_SCRIPT}:547", ours="windows of 800, 533 apart, the last one moved back",
            why="MMSegmentation has no other windows"),
    ),
    notes="Hard pixels: 100,000 of the four images of a process.",
)  # fmt: skip
_IMAS, _EASE = "IM:train_semi.py", "HardnessHook"
_LOG = "IM:training-imas-logs/logs-semi/voc-r101/fine-class/92-1.log"
_IMAS_CITY = "IM:exps/citys_semi744/config_semi.yaml"


def _imas(yaml: str, **at: Any) -> list[Row]:
    view = f"resize by 0.5 to 2 of {at['base']}; crop {at['size']} x {at['size']}; flip 0.5"
    lines: dict[str, int] = at["lines"]
    return [
        Row("total batch", (16, 16), read.total_batch, f"{yaml}:{lines['batch']}"),
        Row("processes", 4, pixels.processes, f"{yaml}:{lines['lr']}"),
        Row("learning rate", at["lr"], read.rate, f"{yaml}:{lines['lr']}"),
        Row("learning rate of the head, times", at["head"], pixels.head_rate, f"{_IMAS}:main"),
        Row("weight decay, of all parameters", at["decay"], read.decay, f"{yaml}:{lines['lr'] + 2}"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{yaml}:{lines['lr'] + 1}"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{yaml}:{lines['schedule']}"),
        Row("loss of labeled images", at["loss"], pixels.sup_loss, f"{yaml}:{lines['loss']}"),
        Row("weights of the losses", (1.0, 3.0), pixels.weights, f"{yaml}:{lines['weight']}"),
        Row("threshold", at["score"], pixels.threshold, f"{yaml}:{lines['score']}"),
        Row("a pixel counts as sure from", at["score"], read.hook(_EASE, "score"),
            f"{yaml}:{lines['score']}"),
        Row("version of the measure", "mean", read.hook(_EASE, "version"), f"{_IMAS}:398"),
        Row("it weighs images, and blends views", (True, True), read.hook(_EASE, "weigh", "blend"),
            f"{_IMAS}:414"),
        Row("class that does not count in it", 0, read.hook(_EASE, "background"),
            f"{yaml}:{lines['ease']}", ours=None,
            why="it is the road of Cityscapes, and an image of background would have no loss"),
        Row("sides of a box", (0.1, 0.9), read.hook("EaseCutMixHook", "side"),
            f"{yaml}:{lines['side']}"),
        Row("mean over", "all pixels", read.model("reduction"),
            "IM:imas/utils/loss_helper.py:432", ours="valid", why="padding is no pixel"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.996)", pixels.average, f"{_IMAS}:532"),
        Row("buffers of the teacher", "ema", read.hook("TeacherEMAHook", "buffers"), f"{_IMAS}:552"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{_IMAS}:345"),
        Row("views that share a pass", "labeled, weak and strong", pixels.passes, f"{_IMAS}:460",
            ours="labeled and strong", why="the weak view would only take part in the statistics"),
        Row("changes of intensity: at most, drawn from, in random number", (2, 12, False), _intensity,
            "IM:imas/dataset/augmentations.py:386"),
        Row("second strong view: then", "none", pixels.colors("unsup_student_2"), f"{_IMAS}:440"),
        Row("weak view", view, read.view("unsup_teacher"), "IM:imas/dataset/augmentations.py:55"),
        *deeplab(
            dict(
                backbone=f"{yaml}:{lines['net']}", stem="IM:imas/models/resnet.py:ResNet",
                files=f"{yaml}:{lines['net']}", dilations=f"{yaml}:{lines['net']}",
                head="IM:imas/models/decoder.py:dec_deeplabv3_plus", aspp=f"{yaml}:{lines['aspp']}",
            ),
            depth=at["depth"], files=f"resnet{at['depth']}.pth", stride=16, last=(2, 4, 8),
            aspp=(6, 12, 18),
        ),
    ]  # fmt: skip


IMAS_VOC = Recipe(
    config="imas/deeplabv3plus_r101_voc12.py",
    title="iMAS, VOC 2012",
    published_result="mIoU 68.78, 74.42, 78.45, 79.74, 81.16 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, ResNet-101, crops of 513, best epoch of the averaged model (logs of single runs)",
    rows=(
        *_imas(
            _LOG, lr=0.001, head=10, decay=1e-4, loss="cross entropy", score=0.95, base="500 x 500",
            size=513, depth=101,
            lines=dict(batch=6, lr=49, schedule=48, loss=1, weight=55, score=56, ease=12, side=59,
                       net=35, aspp=30),
        ),
        Row("iterations, classic", {"1/16": 52400, "1/8": 52000, "1/4": 51040, "1/2": 49200,
            "1/1": 45600}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_LOG}:47"),
        Row("evaluation", "whole images, their own size", pixels.evaluation, f"{_LOG}:23"),
    ),
    notes="No config for VOC is shipped; the values are those that the log prints.",
)  # fmt: skip
IMAS_CITYSCAPES = Recipe(
    config="imas/deeplabv3plus_r50_cityscapes.py",
    title="iMAS, Cityscapes",
    published_result="mIoU 75.2, 78.0, 78.2, 80.2 with 1/16, 1/8, 1/4 and 1/2 of the labels, at output "
    "stride 8",
    protocol="val, ResNet-50, crops of 769, best epoch of the averaged model (README)",
    rows=(
        *_imas(
            _IMAS_CITY, lr=0.01, head=1, decay=5e-4, score=0.7, base="2048 x 1024", size=769,
            loss="cross entropy of hard pixels, below 0.7, 25,000 or more of each image", depth=50,
            lines=dict(batch=9, lr=48, schedule=52, loss=76, weight=65, score=60, ease=19, side=63,
                       net=94, aspp=110),
        ),
        Row("weight of the auxiliary head", 0.4,
            lambda built: built.model.student.auxiliary_head.loss_decode.loss_weight,
            f"{_IMAS_CITY}:90"),
        Row("iterations", {"1/30": 42960, "1/16": 41760, "1/8": 38880, "1/4": 33360, "1/2": 22320},
            pixels.lengths(*ROADS), f"{_IMAS_CITY}:43"),
        Row("evaluation", "windows of 769, 513 apart, the last one moved back", pixels.evaluation,
            f"{_IMAS}:validate_citys"),
    ),
    notes="The config that is shipped has output stride 16, as ours. Hard pixels: 100,000 of the four "
    "images of a process.",
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES, IMAS_VOC, IMAS_CITYSCAPES)
