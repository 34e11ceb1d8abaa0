"""AllSpark and Dual Teacher."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..table import Recipe, Repository, Row
from .unimatch import BLENDER, CLASSIC, LONG_SIDE, PADDED, ROADS, STRONG

REPOSITORIES = {
    "AL": Repository("xmed-lab/AllSpark", "9da63e2"),
    "DUAL": Repository("naver-ai/dual-teacher", "868e6e7"),
}
_SCRIPT, _NECK, _DATA = "AL:train_allspark.py", "AL:model/semseg/allspark.py", "AL:dataset/semi.py"


def _rows(yaml: str, **at: Any) -> list[Row]:
    neck = "student.neck"
    view = f"resize by 0.5 to 2 of {at['own']}; crop {at['size']} x {at['size']}; flip 0.5"
    ours = view.replace("its own size", "500 x 500")
    moved: dict[str, Any] = dict(ours=ours, why=LONG_SIDE) if ours != view else {}
    colored = f"{view}; {STRONG}"
    return [
        Row("total batch", (8, 8), read.total_batch, f"{yaml}:batch_size"),
        Row("processes", 4, pixels.processes, f"{yaml}:batch_size"),
        Row("learning rate", at["lr"], read.rate, f"{yaml}:lr"),
        Row("learning rate of the head, times", at["head"], pixels.head_rate, f"{yaml}:lr_multi"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_SCRIPT}:main"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{_SCRIPT}:main"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_SCRIPT}:main"),
        Row("loss of labeled images", at["loss"], pixels.sup_loss, f"{yaml}:criterion"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{_SCRIPT}:143"),
        Row("threshold", None, pixels.threshold, f"{_SCRIPT}:main"),
        Row("averaged teacher", "none", pixels.average, f"{_SCRIPT}:main"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{_SCRIPT}:main"),
        Row("views that share a pass", "labeled and strong", pixels.passes, f"{_SCRIPT}:main"),
        Row("channels and heads of the attention", (512, 2),
            read.model(f"{neck}.channels", f"{neck}.heads"), f"{_NECK}:SemiDecoder"),
        Row("dropout of the attention", 0.1,
            lambda built: built.model.student.neck.dropout.p, f"{_NECK}:SemiDecoder"),
        Row("the memory is used from iteration", at["warmup"],
            read.hook("ChannelMemoryHook", "warmup"), f"{yaml}:warmup_epoch"),
        Row("encoder: channels, layers", (64, [3, 6, 40, 3]),
            lambda built: (built.config.model.segmentor.backbone.embed_dims,
                           list(built.config.model.segmentor.backbone.num_layers)),
            f"{yaml}:backbone"),
        Row("channels of the decoder", 768, read.model("student.decode_head.channels"),
            f"{_NECK}:SegFormerHead"),
        Row("dropout in the head", 0.1, pixels.dropout, f"{_NECK}:SegFormerHead"),
        Row("labeled view", colored, read.view("sup"), f"{_DATA}:__getitem__",
            **({**moved, "ours": f"{ours}; {STRONG}"} if moved else {})),
        Row("unlabeled view", view, read.view("unsup_teacher"), f"{_DATA}:__getitem__", **moved),
        Row("unlabeled view has other colors", "none", pixels.colors(), f"{_DATA}:__getitem__"),
        Row("padding of crops", "black, trained on if unlabeled", pixels.padding,
            "AL:dataset/transform.py:crop", ours="the mean color, not trained on", why=PADDED),
    ]  # fmt: skip


VOC = Recipe(
    config="allspark/segformer_b5_voc12.py",
    title="AllSpark, VOC 2012",
    published_result="mIoU 76.07, 78.41, 79.77, 80.75, 82.12 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, MiT-B5, crops of 513, best epoch (README)",
    rows=(
        *_rows(
            "AL:configs/pascal_allspark.yaml", own="its own size", size=513, lr=0.001, head=10,
            loss="cross entropy", warmup=6555,
        ),
        Row("iterations, classic", {"1/16": 104880, "1/8": 104000, "1/4": 102160, "1/2": 98480,
            "1/1": 91200}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_SCRIPT}:main"),
        Row("iterations, blender", {"1/16": 99200, "1/8": 92560, "1/4": 79360},
            pixels.lengths(*BLENDER, protocol="blender"), f"{_SCRIPT}:main"),
        Row("evaluation", "whole images, their own size", pixels.evaluation, "AL:train_baseline_sup.py:evaluate"),
    ),
)  # fmt: skip
CITYSCAPES = Recipe(
    config="allspark/segformer_b5_cityscapes.py",
    title="AllSpark, Cityscapes",
    published_result="mIoU 78.33, 79.24, 80.56, 81.39 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, MiT-B5, crops of 801, best epoch (README)",
    rows=(
        *_rows(
            "AL:configs/cityscapes_allspark.yaml", own="2048 x 1024", size=801, lr=0.005, head=1, warmup=5235,
            loss="cross entropy of hard pixels, below 0.7, 100,000 or more of each image",
        ),
        Row("iterations", {"1/30": 86160, "1/16": 83760, "1/8": 78000, "1/4": 66960, "1/2": 44640},
            pixels.lengths(*ROADS), f"{_SCRIPT}:main"),
        Row("evaluation", "windows of 801, 534 apart, the last one cut off", pixels.evaluation,
            "AL:train_baseline_sup.py:evaluate", ours="windows of 801, 534 apart, the last one moved back",
            why="as the other recipes of Cityscapes; MMSegmentation has no other windows"),
    ),
    notes="The code keeps 200,000 hard pixels of the two images of a process.",
)  # fmt: skip
_DUAL, _MIXES, _TURNS = "DUAL:tools/train.py", "DUAL:seg_core/augmentations.py", "TemporaryTeachersHook"
_CROP = "crop 512 x 512; flip 0.5"
DUAL = Recipe(
    config="temporary_teachers/segformer_b1_ade20k.py",
    title="Dual Teacher, ADE20K",
    published_result="not read (the code for VOC and Cityscapes is not public)",
    protocol="val, MiT-B1, crops of 512, best epoch of the student",
    rows=(
        Row("total batch", (8, 8), read.total_batch, f"{_DUAL}:main"),
        Row("processes", 2, pixels.processes, f"{_DUAL}:main"),
        Row("learning rate", 6e-5, read.rate, f"{_DUAL}:main"),
        Row("learning rate of the head, times", 10, pixels.head_rate, f"{_DUAL}:main"),
        Row("weight decay, of all parameters", 0.01, read.decay, f"{_DUAL}:main"),
        Row("optimizer", "AdamW", read.optimizer, f"{_DUAL}:main"),
        Row("schedule", "1,500 iterations from 1e-06 of it, then polynomial 1 to 0", pixels.schedule,
            "DUAL:seg_core/optimizer.py:PolyWarmupAdamW"),
        Row("iterations", {"1/32": 15800, "1/16": 31600, "1/8": 63000, "1/4": 126200},
            pixels.lengths("1_32", "1_16", "1_8", "1_4"), f"{_DUAL}:train_dual"),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, f"{_DUAL}:main"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{_DUAL}:train_dual"),
        Row("threshold", 0.95, pixels.threshold, f"{_DUAL}:train_dual"),
        Row("weight of the implicit consistency", 0.2, read.hook(_TURNS, "share"),
            f"{_DUAL}:train_dual"),
        Row("momentum of a teacher", 0.99, read.hook(_TURNS, "momentum"), f"{_DUAL}:update_ema"),
        Row("iterations of a turn", 158, read.hook(_TURNS, "period"), f"{_DUAL}:train_dual"),
        Row("mixing takes turns", ("CutMixHook", "ClassMixHook"), read.hook(_TURNS, "mixes"),
            f"{_DUAL}:train_dual"),
        Row("mean over", "CutMix: pixels with a loss, times each image's share of sure ones; ClassMix: "
            "all, times that of the batch", read.model("reduction"), f"{_MIXES}:compute_cutmix",
            ours="image", why="all pixels, times the share of sure ones of the batch, in both turns"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_DUAL}:train_dual",
            ours="eval mode", why="the batch of a process is small for statistics of its own"),
        Row("weak view", f"resize to 2048 x 512 times 0.5 to 2; {_CROP}; colors",
            read.view("unsup_teacher"), f"{_DUAL}:main",
            ours=f"resize by 0.5 to 2 of its own size; {_CROP}",
            why="as the other recipes of ADE20K; the teacher sees no other colors"),
        Row("strong view: then", "jitter (0.5, 0.5, 0.5, 0.25); gray 0.2", pixels.colors(),
            f"{_DUAL}:train_dual", ours=STRONG, why="as UniMatch, for each image by itself"),
        Row("channels of the decoder", 256, read.model("student.decode_head.channels"),
            f"{_DUAL}:main"),
        Row("evaluated is", "the student", lambda built: f"the {built.model.predict_with}",
            f"{_DUAL}:train_dual"),
    ),
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES, DUAL)
