"""FST, CW-BASS and a part of SemiCD-VL."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from .deeplab import deeplab
from ..table import Recipe, Repository, Row
from .unimatch import BLENDER, CLASSIC, LONG_SIDE, PADDED, ROADS

REPOSITORIES = {
    "FST": Repository("usr922/FST", "5b44c015"),
    "CW": Repository("psychofict/CW-BASS", "4cad82cc"),
    "ST++": Repository("LiheYoung/ST-PlusPlus", "5dca7fd1"),
    "VL": Repository("likyoo/SemiCD-VL", "7379e5d8"),
}
UNPUBLISHED = {
    "change_detection/siamese-deeplabv3plus_r50_levir.py": "UniMatch's code for pairs has no FixMatch",
    "external_labels/deeplabv3plus_r101_voc12.py": "SemiVL's guidance on another network and encoder",
    "fixmatch_seg/deeplabv3plus_r101_voc12.py": "UniMatch's FixMatch with the averaged teacher of its "
    "second version",
    "fixmatch_seg/deeplabv3plus_r101_cityscapes.py": "the same",
    **{
        f"unimatch_v2/dpt_dinov3-{name}.py": "the paper has DINOv2"
        for name in ("s_voc12", "b_voc12", "l_voc12", "b_ade20k", "b_coco-seg")
    },
}

_SCRIPT, _AUGMENT = "FST:semi_seg/train_semi.py", "FST:semi_seg/fst/dataset/augmentation.py"
_DECODER = "FST:semi_seg/fst/models/decoder.py"


def _fst(yaml: str, **lines: Any) -> list[Row]:
    half = "one of: " + " / ".join(
        f"resize by {low} of {lines['own']}" for low in ("0.5 to 1", "1 to 2")
    )
    ours_half = half.replace("its own size", "500 x 500")
    view = f"{half}; crop {lines['size']} x {lines['size']}; flip 0.5"
    moved: dict[str, Any] = {}
    if ours_half != half:
        ours = f"{ours_half}; crop {lines['size']} x {lines['size']}; flip 0.5"
        moved = dict(ours=ours, why=LONG_SIDE)
    sources = dict(
        backbone=f"{yaml}:{lines['net']}", stem="FST:semi_seg/fst/models/resnet.py:179",
        files="FST:semi_seg/fst/models/resnet.py:20", dilations=f"{yaml}:{lines['net'] + 2}",
        head=f"{_DECODER}:42", aspp=f"{yaml}:{lines['net'] + 10}",
    )  # fmt: skip
    return [
        Row("total batch", (16, 16), read.total_batch, f"{yaml}:19"),
        Row("processes", lines["processes"], pixels.processes, f"{yaml}:{lines['lr_at']}",
            **lines["batch"]),
        Row("learning rate", lines["lr"], read.rate, f"{yaml}:{lines['lr_at']}"),
        Row("learning rate of the head, times", 10, pixels.head_rate, f"{_SCRIPT}:104"),
        Row("weight decay, of all parameters", lines["decay"], read.decay,
            f"{yaml}:{lines['lr_at'] + 2}"),
        Row("weight decay of biases", lines["decay"], pixels.bias_decay, f"{_SCRIPT}:106"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{yaml}:{lines['lr_at'] - 2}"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{yaml}:{lines['lr_at'] + 4}"),
        Row("loss of labeled images", lines["loss"], pixels.sup_loss, f"{yaml}:{lines['loss_at']}"),
        Row("mean over", "kept", read.model("reduction"), "FST:semi_seg/fst/utils/loss_helper.py:26"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.99)", pixels.average, f"{_SCRIPT}:263"),
        Row("virtual steps", 3, read.hook("FutureTeacherHook", "steps"), f"{_SCRIPT}:459"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{_SCRIPT}:320"),
        Row("views that share a pass", "labeled and strong", pixels.passes, f"{_SCRIPT}:335"),
        Row("labeled view", view, read.view("sup"), f"{_AUGMENT}:191", **moved),
        Row("unlabeled view", view, read.view("unsup_teacher"), f"{_AUGMENT}:191", **moved),
        Row("colors", "none", pixels.colors(), f"{yaml}:7"),
        Row("padding of crops", "the mean color, label 0", pixels.padding, f"{_AUGMENT}:243",
            ours="the mean color, not trained on", why="black borders are no class"),
        *deeplab(sources, depth=101, files="resnet101.pth of the authors", stride=8, last=(4, 8, 16),
                 aspp=(12, 24, 36), low=256),
        Row("kernel behind the ASPP", (3, 3),
            lambda built: built.model.student.decode_head.bottleneck.conv.kernel_size,
            f"{_DECODER}:49"),
        Row("dropout in the head", "0.1 at three places", pixels.dropout, f"{_DECODER}:52",
            ours=0.1, why="MMSegmentation's heads have one place, in front of the classes"),
    ]  # fmt: skip


_VOC = "FST:semi_seg/experiments/pascal/662/cutmix_fst/config.yaml"
FST_VOC = Recipe(
    config="fst/deeplabv3plus_r101_voc12.py",
    title="FST, VOC 2012",
    published_result="mIoU 73.88, 76.07, 76.32 with 1/16, 1/8 and 1/4 of the labels",
    protocol="val, blender-like lists, ResNet-101, center crops of 513 (README)",
    options=dict(protocol="blender"),
    rows=(
        *_fst(
            _VOC, own="its own size", size=513, net=61, processes=4, batch={}, lr=0.001, lr_at=34,
            decay=1e-4, loss="cross entropy", loss_at=52,
        ),
        Row("weights of the losses", (1.0, 1.25), pixels.weights,
            "FST:semi_seg/fst/utils/loss_helper.py:24"),
        Row("iterations, blender", {"1/16": 24800, "1/8": 23120, "1/4": 19840},
            pixels.lengths(*BLENDER), f"{_VOC}:28"),
        Row("share of pixels left out", 0.2, read.hook("QuantileThresholdHook", "share"), f"{_VOC}:43"),
        Row("they have the highest", "entropy", read.hook("QuantileThresholdHook", "measure"),
            "FST:semi_seg/fst/utils/loss_helper.py:16"),
        Row("CutMix: probability", "0.5, for the whole batch", pixels.cutmix("prob"), f"{_SCRIPT}:327",
            ours=0.5, why="for each image by itself"),
        Row("CutMix: share of the view", (0.5, 0.5), pixels.cutmix("area"), f"{_AUGMENT}:472"),
        Row("CutMix: height to width", (0.5, 2.0), pixels.cutmix("aspect"), f"{_AUGMENT}:474"),
        Row("evaluation", "center crops of 513", pixels.evaluation, f"{_VOC}:16",
            ours="whole images, their own size", why="as the other recipes of VOC; not comparable"),
    ),
    notes="The README's 76.32 is also its number of DeepLabV2; the paper has another one.",
)  # fmt: skip
_CITY = "FST:semi_seg/experiments/cityscapes/372/mt_fst/config.yaml"
FST_CITY = Recipe(
    config="fst/deeplabv3plus_r101_cityscapes.py",
    title="FST, Cityscapes",
    published_result="mIoU 71.03, 75.36, 76.61 with 1/16, 1/8 and 1/4 of the labels",
    protocol="val, ResNet-101, windows of 769 (README)",
    rows=(
        *_fst(
            _CITY, own="2048 x 1024", size=769, net=63, processes=8, batch={}, lr=0.01, lr_at=34,
            decay=5e-4, loss_at=50,
            loss="cross entropy of hard pixels, below 0.7, 50,000 or more of each image",
        ),
        Row("weight of the auxiliary head", 0.4,
            lambda built: built.model.student.auxiliary_head.loss_decode.loss_weight, f"{_CITY}:61"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{_SCRIPT}:370"),
        Row("iterations", {"1/30": 14400, "1/16": 13920, "1/8": 13040, "1/4": 11120, "1/2": 7440},
            pixels.lengths(*ROADS), f"{_CITY}:28"),
        Row("threshold", 0.0, pixels.threshold, f"{_SCRIPT}:368"),
        Row("CutMix: probability", None, pixels.cutmix("prob"), f"{_CITY}:41"),
        Row("evaluation", "windows of 769, 513 apart, the last one moved back", pixels.evaluation,
            "FST:semi_seg/eval.py:200"),
    ),
)  # fmt: skip


def _cw_bass(**lines: Any) -> list[Row]:
    main, threshold = "CW:main.py", "MeanConfidenceThresholdHook"
    model = "ST++:model/semseg/deeplabv3plus.py"
    view = f"resize by 0.5 to 2 of {lines['base']}; crop {lines['size']} x {lines['size']}; flip 0.5"
    return [
        Row("total batch", (16, 16), read.total_batch, f"{main}:parse_args"),
        Row("processes", 1, pixels.processes, f"{main}:init_basic_elems", ours=lines["processes"],
            why="fewer images in each: the same total; statistics are those of all"),
        Row("learning rate", lines["lr"], read.rate, f"{main}:__main__"),
        Row("learning rate of the head, times", 10, pixels.head_rate, f"{main}:init_basic_elems"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{main}:init_basic_elems"),
        Row("weight decay of biases", 1e-4, pixels.bias_decay, f"{main}:init_basic_elems"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{main}:init_basic_elems"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{main}:train_semi_supervised"),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, f"{main}:__main__"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{main}:parse_args"),
        Row("iterations in which the second one rises", lines["ramp"],
            read.setting("model.unsup_ramp.length"), f"{main}:parse_args"),
        Row("mean over", "kept", read.model("reduction"), f"{main}:weighted_cross_entropy_loss"),
        Row("averaged teacher", "0.999", pixels.average, f"{main}:parse_args"),
        Row("buffers of the teacher", "copy", read.hook("TeacherEMAHook", "buffers"), f"{main}:update_ema"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{main}:train_semi_supervised"),
        Row("views that share a pass", "none: a pass for each view", pixels.passes, f"{main}:train_semi_supervised"),
        Row("threshold: base, slope", (0.6, 0.5), read.hook(threshold, "base", "beta"), f"{main}:parse_args"),
        Row("threshold: within", (0.3, 0.8), read.hook(threshold, "bounds"), f"{main}:dynamic_thresholding"),
        Row("exponent of the confidence", 1.0, read.hook("ConfidenceWeightHook", "gamma"), f"{main}:parse_args"),
        Row("weight of boundaries", 0.5, read.hook("BoundaryLossHook", "weight"), f"{main}:boundary_loss"),
        Row("labeled view", view, read.view("sup"), "CW:dataset/semi.py:__getitem__"),
        Row("unlabeled view", view, read.view("unsup_teacher"), "CW:dataset/semi.py:__getitem__"),
        Row("colors", "none", pixels.colors(), f"{main}:__main__"),
        Row("padding of crops", "black, not trained on", pixels.padding, "CW:dataset/transform.py:crop",
            ours="the mean color, not trained on", why=PADDED),
        Row("layers of the ResNet", 50, pixels.depth, f"{main}:parse_args"),
        Row("stem", "one of 7x7, 64 channels", pixels.stem, "CW:README.md:Pre-trained backbones"),
        Row("initial weights", "torchvision://resnet50", pixels.initial, "CW:README.md:Pre-trained backbones"),
        Row("output stride", 8, pixels.output_stride, "ST++:model/backbone/resnet.py:203"),
        Row("dilations of the last stage", (2, 4, 4), pixels.last_dilations,
            "ST++:model/backbone/resnet.py:203"),
        Row("convolutions of the head", "plain", pixels.head, f"{model}:52"),
        Row("dilations of the ASPP", (12, 24, 36), pixels.aspp, f"{model}:15"),
        Row("channels of the low level", 48, pixels.low_level, f"{model}:17"),
        Row("dropout in the head", "0.5 behind the ASPP, 0.1 in front of the classes", pixels.dropout,
            f"{model}:90", ours=0.1, why="MMSegmentation's heads have one place"),
        Row("evaluation", "whole images, their own size", pixels.evaluation, f"{main}:validate_and_checkpoint"),
    ]  # fmt: skip


CW_VOC = Recipe(
    config="cw_bass/deeplabv3plus_r50_voc12.py",
    title="CW-BASS, VOC 2012",
    published_result="mIoU 76.2 with 1/4 of the labels",
    protocol="val, ResNet-50, crops of 321, the student (README)",
    rows=(
        *_cw_bass(base="400 x 400", size=321, lr=0.001, processes=4, ramp=3275),
        Row("iterations, classic", {"1/16": 52400, "1/8": 51920, "1/4": 51040, "1/2": 49200,
            "1/1": 45520}, pixels.lengths(*CLASSIC, protocol="classic"), "CW:main.py:__main__"),
        Row("iterations, blender", {"1/16": 49600, "1/8": 46240, "1/4": 39680},
            pixels.lengths(*BLENDER, protocol="blender"), "CW:main.py:__main__"),
    ),
    notes="The network is not in the copy that was read; it is that of ST++, which the README names.",
)  # fmt: skip
CW_CITY = Recipe(
    config="cw_bass/deeplabv3plus_r50_cityscapes.py",
    title="CW-BASS, Cityscapes",
    published_result="mIoU 65.9 with 1/30, 78.4 with 1/4 of the labels",
    protocol="val, ResNet-50, crops of 721, the student (README)",
    rows=(
        *_cw_bass(base="2048 x 1024", size=721, lr=0.004, processes=8, ramp=870),
        Row("iterations", {"1/30": 42960, "1/16": 41760, "1/8": 38880, "1/4": 33360, "1/2": 22080},
            pixels.lengths(*ROADS), "CW:main.py:__main__"),
    ),
)  # fmt: skip

_EXP, _FIX = "VL:experiments.py", "VL:diffmatch_fixmatch.py"
SEMICD = Recipe(
    config="external_labels/siamese-deeplabv3plus_r50_levir.py",
    title="SemiCD-VL's second projection, changes in LEVIR-CD",
    published_result="IoU of changes 81.9, 82.6, 82.7, 83.0 with 5, 10, 20 and 40 % of the labels",
    protocol="test tiles of 256, ResNet-50, best epoch on the test set",
    rows=(
        Row("total batch", (8, 8), read.total_batch, f"{_EXP}:50"),
        Row("processes", 1, pixels.processes, f"{_EXP}:48"),
        Row("learning rate", 0.02, read.rate, f"{_EXP}:291"),
        Row("learning rate of the head, times", 10, pixels.head_rate, f"{_EXP}:291"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_FIX}:120"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_FIX}:336"),
        Row("iterations", {"5 %": 67600, "10 %": 64080, "20 %": 56960, "40 %": 42720},
            pixels.lengths(5, 10, 20, 40, key="percent"), f"{_EXP}:51"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{_FIX}:313"),
        Row("threshold", 0.95, pixels.threshold, f"{_EXP}:302"),
        Row("weight of external labels", (0.1, 0.0), read.hook("ExternalLabelsHook", "start", "end"),
            f"{_EXP}:292", ours=(0.05, 0.0), why="of the mean of three terms: 0.1 / 6 each"),
        Row("feature contrast, weight", 0.1,
            lambda built: sum("Contrast" in type(hook).__name__ for hook in built.hooks),
            f"{_EXP}:295", ours=0, why="in semicd_vl, the whole method"),
        Row("auxiliary maps of each image", 2, lambda built: len(built.model.auxiliary) - 1,
            f"{_FIX}:322", ours=0, why="in semicd_vl"),
        Row("averaged teacher", "none", pixels.average, f"{_FIX}:280"),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"),
            "VL:third_party/unimatch/dataset/semicd.py:77"),
        Row("layers of the ResNet", 50, pixels.depth, f"{_EXP}:291"),
    ),
    notes="One part of the method, on DeepLabV3+: the second projection, which learns external labels.",
)  # fmt: skip
RECIPES = (FST_VOC, FST_CITY, CW_VOC, CW_CITY, SEMICD)
