"""Changes between two images: SemiCD-VL as a whole, and UniMatch V2."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .deeplab import STEM

REPOSITORIES: dict[str, Repository] = {}  # "VL" is that of more_pixels.py
_EXP, _FIX = "VL:experiments.py", "VL:diffmatch_fixmatch.py"
_TILES, _CUT = "VL:third_party/unimatch/dataset/semicd.py", "VL:third_party/unimatch/dataset/transform_cd.py"
_EACH = "each image: jitter 0.8 (0.5, 0.5, 0.5, 0.25); gray 0; blur 0.5 (0.1 to 2)"
_LAST = (
    "student.decode_head.conv_seg.weight", "auxiliary.second.conv.weight",
    "auxiliary.dates.conv_seg.weight",
)  # fmt: skip
_NET = "VL:configs/_base_/models/vlm-lighthead-r50.py"
_HALF = "0.1 / 6 on each of six terms: half of 0.1, times the mean of three"


def _labeler(built: Built) -> str:
    """Whose weights label the weak view."""
    averaged = built.hook("TeacherEMAHook").momentum > 0
    return "the averaged teacher" if averaged else "the student"


LEVIR = Recipe(
    config="semicd_vl/siamese-light_r50_levir.py",
    title="SemiCD-VL, changes in LEVIR-CD",
    published_result="IoU of changes 81.9, 82.6, 82.7, 83.0 with 5, 10, 20 and 40 % of the labels",
    protocol="test tiles of 256, ResNet-50, light decoder, best epoch on the test set",
    rows=(
        Row("total batch", (8, 8), read.total_batch, f"{_EXP}:50"),
        Row("processes", 1, pixels.processes, f"{_EXP}:48"),
        Row("learning rate", 0.02, read.rate, f"{_EXP}:291"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{_FIX}:119"),
        Row("learning rate of the decoders, times", (10, 10, 10),
            lambda built: tuple(round(built.groups[name][0] / read.rate(built), 6) for name in _LAST),
            f"{_EXP}:291"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_FIX}:120"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_FIX}:336"),
        Row("iterations", {"5 %": 67600, "10 %": 64080, "20 %": 56960, "40 %": 42720},
            pixels.lengths(5, 10, 20, 40, key="percent"), f"{_EXP}:51"),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, f"{_EXP}:291"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{_FIX}:313"),
        Row("threshold", 0.95, pixels.threshold, f"{_EXP}:302"),
        Row("mean over", "valid", read.model("reduction"), "VL:utils/train_utils.py:36"),
        Row("averaged teacher", "none", pixels.average, f"{_FIX}:256"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_FIX}:255",
            ours="eval mode", why="the batch of a process is small for statistics of its own"),
        Row("weight of external labels of changes", (0.1, 0.0),
            read.hook("ExternalLabelsHook", "start", "end"), f"{_EXP}:292", ours=(0.05, 0.0), why=_HALF),
        Row("weight of external labels of dates", (0.1, 0.0),
            read.hook("DateDecodersHook", "start", "end"), f"{_EXP}:292", ours=(0.05, 0.0), why=_HALF),
        Row("terms of external labels", ("labeled", "weak", "strong"),
            read.hook("DateDecodersHook", "on"), f"{_FIX}:322"),
        Row("their mean in unlabeled pairs, over pixels", ("all", "all"),
            lambda built: tuple(built.hook(kind).mean for kind in
                                ("ExternalLabelsHook", "DateDecodersHook")),
            f"{_EXP}:292"),
        Row("contrast: weight, margin", (0.1, 2.0),
            read.hook("DateDecodersHook", "contrast", "margin"), f"{_FIX}:151"),
        Row("change of an object: overlap up to", 0.0, lambda built: _maps(built).get("overlap", 0.0),
            "VL:scripts/gen_cd_map_json.py:49"),
        Row("labeled view", "resize by 0.8 to 1.2 of 256 x 256; crop 256 x 256; flip 0.5",
            read.view("sup"), f"{_TILES}:57"),
        Row("strong view: then", _EACH, pixels.colors(), f"{_TILES}:74"),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"), f"{_TILES}:77"),
        Row("CutMix: share of the view", (0.02, 0.4), pixels.cutmix("area"), f"{_CUT}:obtain_cutmix_box"),
        Row("CutMix: height to width", (0.3, 1 / 0.3), pixels.cutmix("aspect"),
            f"{_CUT}:obtain_cutmix_box"),
        Row("features of a pair", "difference", read.model("student.fusion"), "VL:model/builder.py:57"),
        Row("layers of the ResNet", 50, pixels.depth, f"{_NET}:20"),
        Row("output stride", 16, pixels.output_stride, f"{_NET}:22"),
        Row("stem", "three of 3x3, 64, 64, 128", pixels.stem, "VL:model/backbone/semi_resnet.py:84",
            ours="three of 3x3, 32, 32, 64", why=STEM),
        Row("decoders: levels, channels", (4, 256),
            lambda built: (len(built.model.student.decode_head.convs),
                           built.model.student.decode_head.channels), f"{_NET}:27"),
        Row("of each date: levels, channels", (4, 256),
            lambda built: (len(built.model.auxiliary.dates.convs),
                           built.model.auxiliary.dates.channels), f"{_NET}:38"),
        Row("dropout in the head", 0.0, pixels.dropout, f"{_NET}:30"),
        Row("corners are aligned", False, read.model("student.decode_head.align_corners"), f"{_NET}:33"),
        Row("evaluation", "whole images, their own size", pixels.evaluation,
            "VL:third_party/unimatch/supervised.py:evaluate"),
        Row("best epoch on", "test", read.setting("val_dataloader.dataset.data_root"), f"{_TILES}:33",
            ours="data/LEVIR-CD256/val", why="the test set chooses no checkpoint here"),
    ),
    notes="The code takes the distance of the contrast over the width of the maps, we over channels.",
)  # fmt: skip
_PAIRS = "UM2:remote-sensing/"
_YAML, _SCRIPT, _DPT = (f"{_PAIRS}{name}" for name in
                        ("configs/levir.yaml", "unimatch_v2.py", "model/semseg/dpt.py"))
_OWN, _BOX = f"{_PAIRS}dataset/semicd.py", f"{_PAIRS}dataset/transform.py:71"
UNIMATCH = Recipe(
    config="unimatch_v2/siamese-dpt_dinov2-b_levir.py",
    title="UniMatch V2, changes in LEVIR-CD",
    published_result="IoU of changes 83.3, 83.8, 84.3, 84.3 with 5, 10, 20 and 40 % of the labels",
    protocol="test tiles of 256, DINOv2-B, best epoch on the test set (README)",
    rows=(
        Row("total batch", (8, 8), read.total_batch, f"{_YAML}:9"),
        Row("processes", 1, pixels.processes, f"{_YAML}:9"),
        Row("learning rate", 5e-6, read.rate, f"{_YAML}:10"),
        Row("learning rate of the head, times", 40, pixels.head_rate, f"{_YAML}:11"),
        Row("weight decay, of all parameters", 0.01, read.decay, f"{_SCRIPT}:67"),
        Row("optimizer", "AdamW", read.optimizer, f"{_SCRIPT}:65"),
        Row("betas", (0.9, 0.999), read.setting("optim_wrapper.optimizer.betas"), f"{_SCRIPT}:67"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_SCRIPT}:207"),
        Row("iterations", {"5 %": 50700, "10 %": 48060, "20 %": 42720, "40 %": 32040},
            pixels.lengths(5, 10, 20, 40, key="percent"), f"{_YAML}:8"),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, f"{_SCRIPT}:86"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{_SCRIPT}:191"),
        Row("threshold", 0.95, pixels.threshold, f"{_YAML}:12"),
        Row("mean over", "valid", read.model("reduction"), f"{_SCRIPT}:183"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.996)", pixels.average, f"{_SCRIPT}:211"),
        Row("who labels", "the student", _labeler, f"{_SCRIPT}:154",
            ours="the averaged teacher", why="as the authors' own script for photographs does"),
        Row("pairs without dropped channels", 0.5, read.hook("ComplementaryDropoutHook", "intact"),
            f"{_DPT}:170"),
        Row("one mask for all layers", True,
            read.hook("ComplementaryDropoutHook", "share_across_stages"), f"{_DPT}:178"),
        Row("features of a pair", "difference", read.model("student.fusion"), f"{_DPT}:163"),
        Row("labeled view", "resize by 0.8 to 1.2 of 256 x 256; crop 252 x 252; flip 0.5",
            read.view("sup"), f"{_OWN}:47"),
        Row("strong view: then", _EACH, pixels.colors(), f"{_OWN}:60"),
        Row("second strong view: then", _EACH, pixels.colors("unsup_student_2"), f"{_OWN}:69"),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"), f"{_OWN}:63"),
        Row("CutMix: share of the view", (0.02, 0.4), pixels.cutmix("area"), _BOX),
        Row("CutMix: height to width", (0.3, 1 / 0.3), pixels.cutmix("aspect"), _BOX),
        Row("CutMix: a box shows", "an image of the reversed batch", pixels.partner,
            f"{_SCRIPT}:158", ours="the next image of the batch", why="another order of the batch"),
        Row("encoder", "base", read.setting("encoder"), f"{_YAML}:16"),
        Row("encoder is locked", False, read.setting("frozen"), f"{_YAML}:17"),
        Row("layers of the encoder that are read", (2, 5, 8, 11),
            read.model("student.backbone.out_indices"), f"{_DPT}:137"),
        Row("channels of the decoder", 128, read.model("student.decode_head.channels"),
            f"{_SCRIPT}:54"),
        Row("evaluation", "whole images, in multiples of 14", pixels.evaluation,
            f"{_PAIRS}supervised.py:45", ours="whole images, their own size",
            why="the encoder resizes to multiples of 14 itself"),
        Row("best epoch on", "test", read.setting("val_dataloader.dataset.data_root"), f"{_OWN}:29",
            ours="data/LEVIR-CD256/val", why="the test set chooses no checkpoint here"),
    ),
)  # fmt: skip
RECIPES = (LEVIR, UNIMATCH)
UNPUBLISHED: dict[str, str] = {}


def _maps(built: Built) -> Any:
    """The transform that compares the dates."""
    pipeline = built.config.train_dataloader.dataset.datasets[1].pipeline[0].shared
    return next(one for one in pipeline if one.type == "LoadChangeEvents")
