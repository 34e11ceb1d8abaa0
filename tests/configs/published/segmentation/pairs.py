"""Changes between two images: SemiCD-VL as a whole."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .deeplab import STEM
from .more_pixels import REPOSITORIES as OTHERS

REPOSITORIES: dict[str, Repository] = {"VL": OTHERS["VL"]}
_EXP, _FIX = "VL:experiments.py", "VL:diffmatch_fixmatch.py"
_TILES, _CUT = "VL:third_party/unimatch/dataset/semicd.py", "VL:third_party/unimatch/dataset/transform_cd.py"
_EACH = "each image: jitter 0.8 (0.5, 0.5, 0.5, 0.25); gray 0; blur 0.5 (0.1 to 2)"
_LAST = (
    "student.decode_head.conv_seg.weight", "auxiliary.second.conv.weight",
    "auxiliary.dates.conv_seg.weight",
)  # fmt: skip
_NET = "VL:configs/_base_/models/vlm-lighthead-r50.py"
_HALF = "0.1 / 6 on each of six terms: half of 0.1, times the mean of three"

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
RECIPES = (LEVIR,)
UNPUBLISHED: dict[str, str] = {}


def _maps(built: Built) -> Any:
    """The transform that compares the dates."""
    pipeline = built.config.train_dataloader.dataset.datasets[1].pipeline[0].shared
    return next(one for one in pipeline if one.type == "LoadChangeEvents")
