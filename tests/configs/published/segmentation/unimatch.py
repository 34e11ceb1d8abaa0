"""UniMatch and UniMatch V2, on photographs and on pairs of images."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from .deeplab import deeplab
from ..table import Recipe, Repository, Row

REPOSITORIES = {
    "UM": Repository("LiheYoung/UniMatch", "0324f3dd"),
    "UM2": Repository("LiheYoung/UniMatch-V2", "f6afb4df"),
}
CLASSIC = ("1_16", "1_8", "1_4", "1_2", "1_1")
BLENDER = ("1_16", "1_8", "1_4")
ROADS = ("1_30", "1_16", "1_8", "1_4", "1_2")
LONG_SIDE = "the long side of nearly all images of VOC is 500"
PADDED = "MMSegmentation normalizes before it pads; neither side trains on padding"
STRONG = "jitter 0.8 (0.5, 0.5, 0.5, 0.25); gray 0.2; blur 0.5 (0.1 to 2)"
NEXT = "an image never teaches itself"


def _views(data: str, size: int, *, own: bool = True, exact: bool = False) -> list[Row]:
    """Views, which both versions share; `exact`: ours are multiples of the own size, too."""
    crop, place = f"crop {size} x {size}; flip 0.5", f"{data}:dataset/semi.py"
    text = "resize by 0.5 to 2 of {}; " + crop
    official = text.format("its own size" if own else "2048 x 1024")
    ours: dict[str, Any] = dict(ours=text.format("500 x 500"), why=LONG_SIDE)
    ours = ours if own and not exact else {}
    return [
        Row("labeled view", official, read.view("sup"), f"{place}:{41 if data == 'UM' else 44}", **ours),
        Row("weak view", official, read.view("unsup_teacher"), f"{place}:{41 if data == 'UM' else 44}", **ours),
        Row("strong views: then", STRONG, pixels.colors(), f"{place}:54"),
        Row("second strong view: then", STRONG, pixels.colors("unsup_student_2"), f"{place}:60"),
        Row("padding of crops", "black, not trained on", pixels.padding,
            f"{data}:dataset/transform.py:13", ours="the mean color, not trained on", why=PADDED),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"), f"{data}:dataset/transform.py:66"),
        Row("CutMix: share of the view", (0.02, 0.4), pixels.cutmix("area"),
            f"{data}:dataset/transform.py:66"),
        Row("CutMix: height to width", (0.3, 1 / 0.3), pixels.cutmix("aspect"),
            f"{data}:dataset/transform.py:66"),
    ]  # fmt: skip


def _first(
    data: str, *, processes: int, batch_why: str = "", folder: str = "", **lines: Any
) -> list[Row]:
    """The training of the first version; `lines` are those of its config file."""
    yaml, script = f"UM:{folder}configs/{data}.yaml", f"UM:{folder}unimatch.py"
    at: dict[str, int] = lines.pop("at")
    moved = at["code"]  # the script of change detection has the same lines further down
    ours: dict[str, Any] = dict(ours=lines["ours"], why=batch_why) if batch_why else {}
    return [
        Row("total batch", (8, 8), read.total_batch, f"{yaml}:9"),
        Row("processes", processes, pixels.processes, f"{yaml}:9", **ours),
        Row("learning rate", lines["lr"], read.rate, f"{yaml}:10"),
        Row("learning rate of the head, times", lines["head"], pixels.head_rate, f"{yaml}:11"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{script}:{at['optimizer']}"),
        Row("weight decay of biases", 1e-4, pixels.bias_decay, f"{script}:{at['optimizer']}"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{script}:{at['optimizer']}"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{script}:{206 + moved}"),
        Row("loss of labeled images", lines["loss"], pixels.sup_loss, lines["loss_at"]),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{script}:{188 + moved}"),
        Row("of it, perturbed features", 0.5, read.hook("FeaturePerturbationHook", "share"),
            f"{script}:{188 + moved}"),
        Row("dropped channels", 0.5, read.hook("FeaturePerturbationHook", "prob"),
            f"UM:{folder}model/semseg/deeplabv3plus.py:{at['drop']}"),
        Row("threshold", lines["score"], pixels.threshold, f"{yaml}:{at['score']}"),
        Row("mean over", "valid", read.model("reduction"), f"{script}:{178 + moved}"),
        Row("averaged teacher", "none", pixels.average, f"{script}:{151 + moved}"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{script}:{151 + moved}",
            ours="eval mode", why="the batch of a process is small for statistics of its own"),
        Row("views that share a pass", "labeled and weak; both strong", pixels.passes,
            f"{script}:{151 + moved}", ours="labeled, weak and strong",
            why="batch statistics of all are steadier than those of either pass"),
        Row("perturbed: features of", "labeled and weak, in the same pass",
            pixels.perturbed, f"{script}:{151 + moved}"),
        Row("CutMix: a box shows", "another crop of the same image", pixels.partner,
            f"{script}:{at.get('mixed', 121)}", ours="the next image of the batch", why=NEXT),
    ]  # fmt: skip


def _network(depth: int, yaml: str, folder: str = "") -> list[Row]:
    model = f"UM:{folder}model"
    places = dict(
        backbone=f"{yaml}:{16 if folder else 20}",
        dilations=f"{model}/backbone/resnet.py:114",
        stem=f"{model}/backbone/resnet.py:80",
        files="UM:README.md:97",
        head=f"{model}/semseg/deeplabv3plus.py:{20 if folder else 25}",
        aspp=f"{yaml}:{18 if folder else 22}",
    )
    rows = deeplab(
        places, depth=depth, files=f"resnet{depth}.pth of the README", last=(1, 2, 2),
        aspp=(6, 12, 18),
    )  # fmt: skip
    return [*rows, Row("dropout in the head", 0.0, pixels.dropout, places["head"])]


VOC = Recipe(
    config="unimatch/deeplabv3plus_r101_voc12.py",
    title="UniMatch, VOC 2012",
    published_result="mIoU 75.2, 77.2, 78.8, 79.9, 81.2 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, ResNet-101, crops of 321, best epoch (README; logs of single runs differ by up to 1.4)",
    rows=(
        *_first(
            "pascal", processes=4, ours=2, batch_why="4 + 4 images in each: the same total",
            lr=0.001, head=10, loss="cross entropy", loss_at="UM:configs/pascal.yaml:13", score=0.95,
            at=dict(optimizer=56, drop=45, score=16, code=0),
        ),
        Row("iterations, classic", {"1/16": 104880, "1/8": 104000, "1/4": 102160, "1/2": 98480,
            "1/1": 91200}, pixels.lengths(*CLASSIC, protocol="classic"), "UM:unimatch.py:93"),
        Row("iterations, blender", {"1/16": 99200, "1/8": 92560, "1/4": 79360},
            pixels.lengths(*BLENDER, protocol="blender"), "UM:unimatch.py:93"),
        *_views("UM", 321),
        *_network(101, "UM:configs/pascal.yaml"),
        Row("evaluation", "whole images, their own size", pixels.evaluation, "UM:supervised.py:66"),
    ),
)  # fmt: skip
CITYSCAPES = Recipe(
    config="unimatch/deeplabv3plus_r101_cityscapes.py",
    title="UniMatch, Cityscapes",
    published_result="mIoU 76.6, 77.9, 79.2, 79.5 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, ResNet-101, crops of 801, best epoch (README)",
    rows=(
        *_first(
            "cityscapes", processes=4, lr=0.005, head=1,
            loss="cross entropy of hard pixels, below 0.7, 100,000 or more of each image",
            loss_at="UM:configs/cityscapes.yaml:13", score=0.0,
            at=dict(optimizer=56, drop=45, score=18, code=0),
        ),
        Row("iterations", {"1/30": 86160, "1/16": 83760, "1/8": 78000, "1/4": 66960, "1/2": 44640},
            pixels.lengths(*ROADS), "UM:unimatch.py:93"),
        *_views("UM", 801, own=False),
        *_network(101, "UM:configs/cityscapes.yaml"),
        Row("evaluation", "windows of 801, 534 apart, the last one cut off", pixels.evaluation,
            "UM:supervised.py:44", ours="windows of 801, 534 apart, the last one moved back",
            why="as version 2 does; MMSegmentation has no other windows"),
    ),
    notes="The code keeps 200,000 hard pixels of the two images of a process.",
)  # fmt: skip


def _second(data: str, **lines: Any) -> list[Row]:
    """The training of the second version."""
    yaml, script, dpt = f"UM2:configs/{data}.yaml", "UM2:unimatch_v2.py", "UM2:model/semseg/dpt.py"
    decoder, dropped = "student.decode_head", "ComplementaryDropoutHook"
    return [
        Row("total batch", lines["total"], read.total_batch, f"{yaml}:9"),
        Row("processes", 4, pixels.processes, f"{yaml}:9"),
        Row("learning rate", 5e-6, read.rate, f"{yaml}:10"),
        Row("learning rate of the head, times", 40, pixels.head_rate, f"{yaml}:11"),
        Row("weight decay, of all parameters", 0.01, read.decay, f"{script}:72"),
        Row("weight decay of biases", 0.01, pixels.bias_decay, f"{script}:72"),
        Row("optimizer", "AdamW", read.optimizer, f"{script}:67"),
        Row("betas", (0.9, 0.999), read.setting("optim_wrapper.optimizer.betas"), f"{script}:72"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{script}:217"),
        Row("loss of labeled images", lines["loss"], pixels.sup_loss, f"{yaml}:12"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{script}:204"),
        Row("threshold", 0.95, pixels.threshold, f"{yaml}:{lines['score_at']}"),
        Row("mean over", "valid", read.model("reduction"), f"{script}:196"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.996)", pixels.average, f"{script}:221"),
        Row("buffers of the teacher", "ema", read.hook("TeacherEMAHook", "buffers"),
            f"{script}:225"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{script}:89"),
        Row("pairs without dropped channels", 0.5, read.hook(dropped, "intact"), f"{dpt}:153"),
        Row("one mask for all layers", True, read.hook(dropped, "share_across_stages"),
            f"{dpt}:161"),
        Row("CutMix: a box shows", "an image of the reversed batch", pixels.partner,
            f"{script}:175", ours="the next image of the batch", why="another order of the batch"),
        Row("encoder", "base", read.setting("encoder"), "UM2:README.md:36"),
        Row("initial weights", "dinov2_vitb14_pretrain.pth", pixels.initial, "UM2:README.md:84"),
        Row("layers of the encoder that are read", (2, 5, 8, 11),
            read.model("student.backbone.out_indices"), f"{dpt}:125"),
        Row("channels of the decoder", 128, read.model(f"{decoder}.channels"), f"{script}:56"),
        Row("dropout in the head", 0.0, pixels.dropout, f"{dpt}:82"),
        Row("encoder is locked", False, read.setting("frozen"),
            lines.get("trained_at", f"{yaml}:{lines['score_at'] + 5}")),
    ]  # fmt: skip


VOC2 = Recipe(
    config="unimatch_v2/dpt_dinov2-b_voc12.py",
    title="UniMatch V2, VOC 2012",
    published_result="mIoU 86.3, 87.9, 88.9, 90.0, 90.8 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, DINOv2-B, crops of 518, best epoch of the averaged model (README, logs)",
    rows=(
        *_second("pascal", total=(16, 16), loss="cross entropy", score_at=16),
        Row("iterations, classic", {"1/16": 39300, "1/8": 39000, "1/4": 38280, "1/2": 36900,
            "1/1": 34200}, pixels.lengths(*CLASSIC, protocol="classic"), "UM2:configs/pascal.yaml:8"),
        *_views("UM2", 518),
        Row("evaluation", "whole images, in multiples of 14", pixels.evaluation,
            "UM2:supervised.py:70", ours="whole images, their own size",
            why="the encoder resizes to multiples of 14 itself"),
    ),
    notes="The file in the repository is for DINOv2-S; the table is that of DINOv2-B.",
)  # fmt: skip
CITYSCAPES2 = Recipe(
    config="unimatch_v2/dpt_dinov2-b_cityscapes.py",
    title="UniMatch V2, Cityscapes",
    published_result="mIoU 83.6, 84.3, 84.5, 85.1 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, DINOv2-B, crops of 798, best epoch of the averaged model (README, logs)",
    rows=(
        *_second(
            "cityscapes", total=(8, 8), score_at=18,
            loss="cross entropy of hard pixels, below 0.7, 100,000 or more of each image",
        ),
        Row("iterations", {"1/30": 64620, "1/16": 62820, "1/8": 58500, "1/4": 50220, "1/2": 33480},
            pixels.lengths(*ROADS), "UM2:configs/cityscapes.yaml:8"),
        *_views("UM2", 798, own=False),
        Row("evaluation", "windows of 798, 532 apart, the last one moved back", pixels.evaluation,
            "UM2:supervised.py:60"),
    ),
)  # fmt: skip


def _scenes(data: str, title: str, result: str, lengths: dict[str, int], **lines: Any) -> Recipe:
    """ADE20K and COCO."""
    yaml, model = f"UM2:configs/{lines['yaml']}.yaml", "student.decode_head.num_classes"
    return Recipe(
        config=f"unimatch_v2/dpt_dinov2-b_{data}.py",
        title=title,
        published_result=result,
        protocol="val, DINOv2-B, crops of 518, best epoch of the averaged model (README, logs)",
        rows=(
            *_second(
                lines["yaml"], total=lines["total"], loss="cross entropy", score_at=16,
                **lines.get("logs", {}),
            ),
            Row("classes", lines["classes"], read.model(model), f"{yaml}:4"),
            Row("iterations", lengths,
                pixels.lengths(*[split.replace("/", "_") for split in lengths]), f"{yaml}:8"),
            *_views("UM2", 518, exact=True),
            Row("evaluation", "whole images, in multiples of 14", pixels.evaluation,
                "UM2:supervised.py:70", ours="whole images, their own size",
                why="the encoder resizes to multiples of 14 itself"),
        ),
        notes=lines["notes"],
    )  # fmt: skip


ADE20K = _scenes(
    "ade20k",
    "UniMatch V2, ADE20K",
    "mIoU 38.7, 45.0, 46.7, 49.8 with 1/64, 1/32, 1/16 and 1/8 of the labels",
    {"1/64": 149220, "1/32": 146820, "1/16": 142080, "1/8": 132600, "1/4": 113700},
    yaml="ade20k",
    total=(8, 8),
    classes=150,
    logs=dict(
        trained_at="UM2:training-logs/table03-ade20k_unimatch_v2_1_16labels_dinov2_base.log:12"
    ),
    notes="The file in the repository is for DINOv2-S and locks the encoder; no log does.",
)
COCO = _scenes(
    "coco-seg",
    "UniMatch V2, COCO",
    "mIoU 47.9, 55.8, 58.7, 60.4, 63.3 with 1/512, 1/256, 1/128, 1/64 and 1/32 of the labels",
    {"1/512": 147560, "1/256": 147280, "1/128": 146700, "1/64": 145540, "1/32": 143240},
    yaml="coco",
    total=(16, 16),
    classes=81,
    notes="The file in the repository is for DINOv2-S; the table is that of DINOv2-B.",
)
_PAIRS = "more-scenarios/remote-sensing/"
_TILES = f"UM:{_PAIRS}dataset/semicd.py"
_EACH = "each image: jitter 0.8 (0.5, 0.5, 0.5, 0.25); gray 0; blur 0.5 (0.1 to 2)"
LEVIR = Recipe(
    config="change_detection/siamese-deeplabv3plus_r50_unimatch_levir.py",
    title="UniMatch, changes in LEVIR-CD",
    published_result="IoU of changes 80.7, 82.0, 81.7, 82.1 with 5, 10, 20 and 40 % of the labels",
    protocol="test tiles of 256, ResNet-50, DeepLabV3+, best epoch on the test set (README)",
    rows=(
        *_first(
            "levir", folder=_PAIRS, processes=1, lr=0.02, head=1, loss="cross entropy",
            loss_at=f"UM:{_PAIRS}unimatch.py:70", score=0.95,
            at=dict(optimizer=61, drop=46, score=12, code=6, mixed=118),
        ),
        Row("iterations", {"5 %": 67600, "10 %": 64080, "20 %": 56960, "40 %": 42720},
            pixels.lengths(5, 10, 20, 40, key="percent"), f"UM:{_PAIRS}configs/levir.yaml:8"),
        Row("labeled view", "resize by 0.8 to 1.2 of 256 x 256; crop 256 x 256; flip 0.5",
            read.view("sup"), f"{_TILES}:47"),
        Row("strong views: then", _EACH, pixels.colors(), f"{_TILES}:60"),
        Row("second strong view: then", _EACH, pixels.colors("unsup_student_2"), f"{_TILES}:69"),
        Row("CutMix: probability", 0.5, pixels.cutmix("prob"), f"{_TILES}:63"),
        Row("features of a pair", "difference", read.model("student.fusion"),
            f"UM:{_PAIRS}model/semseg/deeplabv3plus.py:42"),
        *_network(50, f"UM:{_PAIRS}configs/levir.yaml", _PAIRS),
        Row("evaluation", "whole images, their own size", pixels.evaluation,
            f"UM:{_PAIRS}supervised.py:45"),
        Row("best epoch on", "test", read.setting("val_dataloader.dataset.data_root"),
            f"{_TILES}:29", ours="data/LEVIR-CD256/val",
            why="the test set chooses no checkpoint here"),
    ),
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES, VOC2, CITYSCAPES2, ADE20K, COCO, LEVIR)
