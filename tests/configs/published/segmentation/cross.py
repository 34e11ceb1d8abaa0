"""CPS and MGD: networks that teach each other, or a smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import pixels
from .. import readers as read
from .deeplab import deeplab
from ..table import Recipe, Repository, Row

REPOSITORIES = {
    "CPS": Repository("charlesCXK/TorchSemiSeg", "5e0c29c0"),
    "MGD": Repository("JayQine/MGD-SSSS", "93091054"),
}
UNPUBLISHED = {
    "mgd/deeplabv3plus_mobilenet-v2_cityscapes.py": "the authors' script for it is not public",
}
_CPS = {"voc": "CPS:exp.voc/voc8.res50v3+.CPS+CutMix", "city": "CPS:exp.city/city8.res50v3+.CPS+CutMix"}
_SPLITS = ("1_16", "1_8", "1_4", "1_2")
_SIZES = "one of: " + " / ".join(f"resize by {x:g}" for x in (0.5, 0.75, 1, 1.5, 1.75, 2))
_TRAINED = "training mode"
_EVAL = "a network labels as it is evaluated"


@dataclass(frozen=True)
class _Lines:
    """Where the settings stand: in train.py, but for processes, views and tests."""

    processes: int
    rate: int
    head: int
    loss: int
    mixed: int
    labels: int
    threshold: int
    passes: int
    views: int
    tested: int


def _shared(
    place: str, config: dict[str, int], size: int, at: _Lines, **lines: Any
) -> list[Row]:
    """What CPS and MGD have in common."""
    script, views = f"{place}/train.py", f"{place}/dataloader.py:{at.views}"
    file = f"{place}/config.py"
    view = f"{_SIZES}; crop {size} x {size}; flip 0.5"
    ours: dict[str, Any] = {}
    if lines["ours"]:
        ours = dict(ours=lines["ours"], why="fewer images in each: the same total")
    return [
        Row("total batch", lines["total"], read.total_batch, f"{place}/script.sh:{lines['batch']}"),
        Row("processes", lines["processes"], pixels.processes,
            f"{place}/script.sh:{at.processes}", **ours),
        Row("learning rate, in effect", lines["lr"], read.rate, f"{script}:{at.rate}"),
        Row("learning rate of the head, times", 1, pixels.head_rate, f"{script}:{at.head}"),
        Row("weight decay, in effect", lines["decay"], read.decay, f"{file}:{config['decay']}"),
        Row("weight decay of biases", 0.0, pixels.bias_decay, lines["groups"]),
        Row("weight decay of norms", 0.0, pixels.norm_decay, lines["groups"]),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{file}:{config['decay'] - 1}"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{file}:{config['decay'] - 2}"),
        Row("loss of labeled images", lines["loss"], pixels.sup_loss, f"{script}:{at.loss}"),
        Row("threshold", None, pixels.threshold, f"{script}:{at.threshold}"),
        Row("averaged teacher", "none", pixels.average, f"{script}:{at.labels}"),
        Row("pseudo labels are made in", _TRAINED, pixels.labels, f"{script}:{at.labels}",
            ours="eval mode", why=_EVAL),
        Row("views that share a pass", "none: a pass for each view", pixels.passes,
            f"{script}:{at.passes}"),
        Row("CutMix: probability", 1.0, pixels.cutmix("prob"), f"{script}:{at.mixed}"),
        Row("CutMix: boxes", 3, pixels.cutmix("boxes"), f"{file}:{config['boxes']}"),
        Row("CutMix: their share of the view", (0.25, 0.5), pixels.cutmix("area"),
            f"{file}:{config['boxes'] - 1}"),
        Row("CutMix: height to width", "p to 1/p of a box of share p", pixels.cutmix("aspect"),
            f"{place}/mask_gen.py:57", ours=(0.3, 1 / 0.3), why="about the same, and UniMatch's"),
        Row("labeled view", view, read.view("sup"), views),
        Row("unlabeled view", view, read.view("unsup_teacher"), views),
        Row("colors", "none", pixels.colors(), views),
        Row("model that is evaluated", "student", read.model("predict_with"),
            f"{place}/network.py:{at.tested}"),
    ]  # fmt: skip


def _network(place: str) -> list[Row]:
    sources = dict(
        backbone=f"{place}/network.py:31", dilations=f"{place}/network.py:35",
        stem="CPS:furnace/base_model/resnet.py:110", files="CPS:docs/getting_started.md:12",
        head=f"{place}/network.py:156", aspp=f"{place}/network.py:154",
    )  # fmt: skip
    files = "resnet101_v1c.pth of the authors"
    rows = deeplab(sources, depth=101, files=files, last=(2, 4, 8), aspp=(6, 12, 18))
    joined = Row(
        "branches of the ASPP are joined by", "a normalization of all, LeakyReLU, the pooled one added",
        lambda built: built.model.student.decode_head.bottleneck.conv.kernel_size,
        f"{place}/network.py:88", ours=(1, 1), why="a convolution, as in UniMatch",
    )  # fmt: skip
    # The folders are those of a ResNet-50.
    rows[0] = Row("layers of the ResNet", 101, pixels.depth, "the paper's tables", recalled=True)
    return [*rows, Row("dropout in the head", 0.0, pixels.dropout, f"{place}/network.py:156"), joined]


_GROUPS = "CPS:furnace/utils/init_func.py:44"
CPS_VOC = Recipe(
    config="cps/deeplabv3plus_r101_voc12.py",
    title="CPS, VOC 2012",
    published_result="mIoU 74.5, 76.4, 77.7 with 1/16, 1/8 and 1/4 of the labels (recalled)",
    protocol="val, blender protocol, ResNet-101, CutMix, best of the last epochs",
    options=dict(protocol="blender"),
    rows=(
        *_shared(
            _CPS["voc"], dict(decay=106, boxes=76), 512,
            _Lines(5, 114, 122, 95, 208, 211, 225, 232, 44, 19), total=(8, 8), batch=9, processes=4, ours=2,
            lr=2.5e-3, decay=4e-4, groups=_GROUPS, loss="cross entropy",
        ),
        Row("iterations", {"1/16": 39680, "1/8": 39338, "1/4": 39680, "1/2": 39660},
            pixels.lengths(*_SPLITS), "CPS:docs/getting_started.md:46"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{_CPS['voc']}/config.py:73"),
        *_network(_CPS["voc"]),
        Row("evaluation", "windows of 512, 2/3 apart", pixels.evaluation,
            f"{_CPS['voc']}/config.py:122", ours="whole images, their own size",
            why="no side of an image of VOC is longer than 500: one window"),
    ),
    notes="The script's rate is 0.0025, times 4 processes, with a decay of 1e-4; gradients are divided "
    "by the number of processes twice ([cps](../configs/cps/README.md)).",
)  # fmt: skip
CPS_CITY = Recipe(
    config="cps/deeplabv3plus_r101_cityscapes.py",
    title="CPS, Cityscapes",
    published_result="mIoU 74.7, 77.6, 79.2, 80.2 with 1/16, 1/8, 1/4 and 1/2 of the labels (recalled)",
    protocol="val, ResNet-101, CutMix, best of the last epochs; others reached less",
    rows=(
        *_shared(
            _CPS["city"], dict(decay=113, boxes=82), 800,
            _Lines(8, 113, 120, 94, 204, 207, 221, 228, 58, 19), total=(8, 8), batch=10, processes=8, ours=4,
            lr=2.5e-3, decay=8e-4, groups=_GROUPS,
            loss="cross entropy of hard pixels, below 0.7, 50,000 or more of each image",
        ),
        Row("iterations", {"1/16": 44544, "1/8": 44525, "1/4": 44640, "1/2": 44640},
            pixels.lengths(*_SPLITS), "CPS:docs/getting_started.md:47"),
        Row("weights of the losses", (1.0, 5.0), pixels.weights, f"{_CPS['city']}/config.py:78"),
        *_network(_CPS["city"]),
        Row("evaluation", "windows of 800, 533 apart, the last one moved back", pixels.evaluation,
            f"{_CPS['city']}/config.py:125"),
    ),
    notes="The script's rate is 0.02 with a decay of 1e-4, for 8 processes; see above.",
)  # fmt: skip

_HOOK = "MultiGranularityHook"


def _distilled(place: str, **lines: Any) -> list[Row]:
    network, script = f"{place}/network.py", f"{place}/train.py"
    frozen, deep, wide, head = lines["net"]
    pool, begin, total = lines["small"]
    low: dict[str, Any] = lines.get("low", dict(official=48))
    return [
        Row("weight of the image level", lines["image"], read.hook(_HOOK, "image_weight"),
            f"{place}/config.py:{lines['at']}"),
        Row("weight of the region level", lines["region"], read.hook(_HOOK, "region_weight"),
            f"{place}/config.py:{lines['at'] + 1}"),
        Row("regions along a side", 7, read.hook(_HOOK, "pool"), f"{script}:{pool}"),
        Row("large networks that learn", 0,
            lambda built: len(built.hook(_HOOK).learning), f"{network}:{frozen}"),
        Row("large networks begin as", "trained by CPS with CutMix", read.model("burn_in"),
            f"{script}:{begin}", ours=lines["burn_in"],
            why="iterations on labeled images: their weights are not for download by name"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{script}:{total}"),
        Row("layers of the deep network", 101,
            lambda built: built.model.auxiliary["deep"].backbone.depth, f"{network}:{deep}"),
        Row("layers of the wide network", 34,
            lambda built: built.model.auxiliary["wide"].backbone.depth, f"{network}:{wide}"),
        Row("channels of the student's head", 256, read.model("student.decode_head.channels"),
            f"{network}:{head + 7}"),
        Row("channels of its low level", read=pixels.low_level, source=f"{network}:{head + 3}", **low),
        Row("dilations of its ASPP", (6, 12, 18), pixels.aspp, f"{network}:{head}"),
    ]  # fmt: skip


_MGD = {
    "voc": "MGD:exp.voc/voc8.resnet18_deeplabv3plus",
    "mobile": "MGD:exp.voc/voc8.mobilev2_deeplabv3plus",
    "city": "MGD:exp.city/city8.resnet18_deeplabv3plus",
}
_UNKNOWN = "not in the repository; its README says +11.5 for ResNet-18 on Cityscapes with 1/16 of the labels"
_WHOLE = Row("evaluation", "windows of 512, 2/3 apart", pixels.evaluation,
             f"{_MGD['voc']}/config.py:126", ours="whole images, their own size",
             why="no side of an image of VOC is longer than 500: one window")  # fmt: skip
_EIGHTH = dict(protocol="blender", split="1_8")


def _mgd_voc(place: str, config: str, **lines: Any) -> Recipe:
    return Recipe(
        config=config,
        title=lines["title"],
        published_result=_UNKNOWN,
        protocol="val, blender protocol, 1/8 of the labels",
        options=_EIGHTH,
        rows=(
            *_shared(
                place, dict(decay=lines["decay"], boxes=lines["decay"] - 30), 512, lines["script"],
                total=(8, 8), batch=8, processes=4, ours=2, lr=lines["lr"], decay=4e-4, loss="cross entropy",
                groups=_GROUPS.replace("CPS:", "MGD:"),
            ),
            Row("iterations, 1/8", 39338, read.iterations, f"{place}/config.py:{lines['epochs']}"),
            *_distilled(place, at=lines["decay"] - 36, burn_in=9834, **{
                key: lines[key] for key in ("image", "region", "net", "small", "low") if key in lines
            }),
            _WHOLE,
        ),
    )  # fmt: skip


MGD_VOC = _mgd_voc(
    _MGD["voc"], "mgd/deeplabv3plus_r18_voc12.py", title="MGD, VOC 2012, ResNet-18", decay=110,
    lr=2.5e-3, image=0.002, region=100.0, epochs=112, net=(36, 93, 47, 298), small=(299, 118, 362),
    script=_Lines(4, 131, 139, 98, 240, 243, 263, 273, 44, 29),
)  # fmt: skip
MGD_MOBILE = _mgd_voc(
    _MGD["mobile"], "mgd/deeplabv3plus_mobilenet-v2_voc12.py", title="MGD, VOC 2012, MobileNetV2",
    decay=111, lr=3.5e-3, image=0.0005, region=50.0, epochs=113, net=(37, 94, 48, 299),
    small=(300, 117, 366), script=_Lines(4, 130, 138, 97, 238, 241, 261, 271, 44, 30),
    low=dict(
        official=24, ours=48,
        why="as in the others; `model.segmentor.decode_head.c1_channels=24` is the authors'",
    ),
)  # fmt: skip
MGD_CITY = Recipe(
    config="mgd/deeplabv3plus_r18_cityscapes.py",
    title="MGD, Cityscapes, ResNet-18",
    published_result=_UNKNOWN,
    protocol="val, 1/8 of the labels",
    options=dict(split="1_8"),
    rows=(
        *_shared(
            _MGD["city"], dict(decay=113, boxes=82), 800,
            _Lines(9, 128, 135, 95, 234, 237, 256, 266, 58, 29), total=(16, 16), batch=11, processes=8,
            ours=None, lr=2.5e-3, decay=8e-4, groups=_GROUPS.replace("CPS:", "MGD:"),
            loss="cross entropy of hard pixels, below 0.7, 50,000 or more of each image",
        ),
        Row("iterations, 1/8", 22194, read.iterations, f"{_MGD['city']}/config.py:115"),
        *_distilled(_MGD["city"], image=0.001, region=100.0, at=76, burn_in=5548,
                    net=(36, 95, 47, 300), small=(291, 116, 357)),
        Row("evaluation", "windows of 800, 533 apart, the last one moved back", pixels.evaluation,
            f"{_MGD['city']}/config.py:125"),
    ),
)  # fmt: skip
RECIPES = (CPS_VOC, CPS_CITY, MGD_VOC, MGD_MOBILE, MGD_CITY)
