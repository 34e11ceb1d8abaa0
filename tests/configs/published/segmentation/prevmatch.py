"""PrevMatch."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..table import Recipe, Repository, Row
from .deeplab import deeplab
from .unimatch import BLENDER, CLASSIC, LONG_SIDE, NEXT, PADDED, ROADS, STRONG

REPOSITORIES = {"PM": Repository("wooseok-shin/PrevMatch", "bcfac70")}
_SCRIPT, _PAST, _MODEL = "PM:prevmatch.py", "PM:prev_utils.py", "PM:model/semseg/deeplabv3plus.py"
_DATA, _HOOK = "PM:dataset/semi.py", "PreviousTeachersHook"


def _rows(data: str, **at: Any) -> list[Row]:
    yaml, own = f"PM:configs/{data}.yaml", at["previous"]
    return [
        Row("total batch", (8, 8), read.total_batch, f"{yaml}:9"),
        Row("processes", at["processes"], pixels.processes, f"{yaml}:9"),
        Row("learning rate", at["lr"], read.rate, f"{yaml}:10"),
        Row("learning rate of the head, times", at["head"], pixels.head_rate, f"{yaml}:11"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_SCRIPT}:70"),
        Row("weight decay of biases", 1e-4, pixels.bias_decay, f"{_SCRIPT}:70"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{_SCRIPT}:70"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_SCRIPT}:277"),
        Row("loss of labeled images", at["loss"], pixels.sup_loss, f"{yaml}:12"),
        Row("precision", "half precision", read.precision, f"{yaml}:{at['score_at'] + 1}", ours="float32",
            why="`ssdet train --amp` is half precision, where the device has it"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{_SCRIPT}:243"),
        Row("of it, perturbed features", 0.5, read.hook("FeaturePerturbationHook", "share"),
            f"{_SCRIPT}:224"),
        Row("perturbed: features of", "labeled and weak, in the same pass", pixels.perturbed,
            f"{_SCRIPT}:186"),
        Row("threshold", at["score"], pixels.threshold, f"{yaml}:{at['score_at']}"),
        Row("mean over", "valid", read.model("reduction"),
            "PM:util/train_utils.py:confidence_weighted_loss"),
        Row("averaged teacher", "none", pixels.average, f"{_SCRIPT}:193"),
        Row("students that are kept", 8, read.hook(_HOOK, "size"), f"{yaml}:{own}"),
        Row("a student is kept", "after each validation that is the best so far",
            read.hook(_HOOK, "interval"), f"{_SCRIPT}:128", ours=at["interval"],
            why=f"iterations, {at['passes']} passes; no validation label steers the training"),
        Row("they label together, at most", 3, read.hook(_HOOK, "ensemble"), f"{yaml}:{own + 1}"),
        Row("their threshold", at["past_score"], read.hook(_HOOK, "score"), f"{yaml}:{own + 3}"),
        Row("weight of their labels", "triangle", read.hook(_HOOK, "weight"), f"{_SCRIPT}:142"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_SCRIPT}:186",
            ours="eval mode", why="the batch of a process is small for statistics of its own"),
        Row("views that share a pass", "labeled and weak; both strong", pixels.passes,
            f"{_SCRIPT}:190", ours="labeled, weak and strong",
            why="batch statistics of all are steadier than those of either pass"),
        Row("CutMix: a box shows", "another crop of the same image", pixels.partner,
            f"{_SCRIPT}:159", ours="the next image of the batch", why=NEXT),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"), f"{_DATA}:{at['boxes']}"),
        Row("strong views: then", STRONG, pixels.colors(), f"{_DATA}:{at['colors']}"),
        Row("second strong view: then", STRONG, pixels.colors("unsup_student_2"),
            f"{_DATA}:{at['colors'] + 6}"),
        Row("padding of crops", "black, not trained on", pixels.padding,
            "PM:dataset/transform.py:crop", ours="the mean color, not trained on", why=PADDED),
        *deeplab(
            dict(
                backbone="PM:README.md:52", dilations=f"{yaml}:{at['net'] + 1}",
                stem="PM:model/backbone/resnet.py:ResNet", files="PM:README.md:pretrained",
                head=f"{_MODEL}:DeepLabV3Plus", aspp=f"{yaml}:{at['net'] + 2}",
            ),
            depth=101, files="resnet101.pth of the README", last=(1, 2, 2), aspp=(6, 12, 18),
        ),
        Row("dropout in the head", 0.0, pixels.dropout, f"{_MODEL}:DeepLabV3Plus"),
    ]  # fmt: skip


VOC = Recipe(
    config="prevmatch/deeplabv3plus_r101_voc12.py",
    title="PrevMatch, VOC 2012",
    published_result="mIoU 77.0, 78.5, 79.6, 80.4, 81.6 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, ResNet-101, crops of 321, best epoch (README)",
    rows=(
        *_rows(
            "pascal", processes=1, lr=0.001, head=10, loss="cross entropy", score=0.95, score_at=16,
            previous=21, past_score=0.9, interval=2622, passes=2, net=29, boxes=63, colors=59,
        ),
        Row("iterations, classic", {"1/16": 104880, "1/8": 103920, "1/4": 102160, "1/2": 98480,
            "1/1": 91120}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_SCRIPT}:117"),
        Row("iterations, blender", {"1/16": 99200, "1/8": 92560, "1/4": 79360},
            pixels.lengths(*BLENDER, protocol="blender"), f"{_SCRIPT}:117"),
        Row("weak view", "resize by 0.5 to 2 of its own size; crop 321 x 321; flip 0.5",
            read.view("unsup_teacher"), f"{_DATA}:__getitem__",
            ours="resize by 0.5 to 2 of 500 x 500; crop 321 x 321; flip 0.5", why=LONG_SIDE),
        Row("evaluation", "whole images, their own size", pixels.evaluation, f"{_SCRIPT}:289"),
    ),
)  # fmt: skip
CITYSCAPES = Recipe(
    config="prevmatch/deeplabv3plus_r101_cityscapes.py",
    title="PrevMatch, Cityscapes",
    published_result="mIoU 77.7, 78.9, 80.1, 80.1 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, ResNet-101, crops of 801, best epoch (README)",
    rows=(
        *_rows(
            "cityscapes", processes=2, lr=0.005, head=1, score=0.0, score_at=18, previous=23,
            loss="cross entropy of hard pixels, below 0.7, 50,000 or more of each image",
            past_score=0.0, interval=2088, passes=6, net=30, boxes=63, colors=59,
        ),
        Row("iterations", {"1/30": 86160, "1/16": 83520, "1/8": 78000, "1/4": 66960, "1/2": 44640},
            pixels.lengths(*ROADS), f"{_SCRIPT}:117"),
        Row("weak view", "resize by 0.5 to 2 of 2048 x 1024; crop 801 x 801; flip 0.5",
            read.view("unsup_teacher"), f"{_DATA}:__getitem__"),
        Row("evaluation", "windows of 801, 534 apart, the last one cut off", pixels.evaluation,
            "PM:evaluate.py:evaluate", ours="windows of 801, 534 apart, the last one moved back",
            why="as UniMatch V2 does; MMSegmentation has no other windows"),
    ),
    notes="Hard pixels: 200,000 of the four images of a process. The labels of earlier students weigh "
    "by their confidence in the authors' code, B times too much.",
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES)
