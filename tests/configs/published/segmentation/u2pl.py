"""U2PL."""

from __future__ import annotations

from typing import Any

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .deeplab import deeplab
from .unimatch import BLENDER, CLASSIC, LONG_SIDE, ROADS

REPOSITORIES = {"U2": Repository("Haochen-Wang409/U2PL", "ab3d2be")}
_SCRIPT, _DECODER = "U2:train_semi.py", "U2:u2pl/models/decoder.py"
_AUGMENT, _LOSSES = "U2:u2pl/dataset/augmentation.py", "U2:u2pl/utils/loss_helper.py"
_CONTRAST, _QUANTILE = "UnreliableContrastHook", "QuantileThresholdHook"


def _falls_over(built: Built) -> tuple[int, ...]:
    """In how many iterations both shares of pixels fall to 0."""
    return built.hook(_QUANTILE).length, built.hook(_CONTRAST).length


def _memory(built: Built) -> tuple[int, int]:
    bank = built.hook(_CONTRAST).bank
    return bank.size, bank.first


def _rows(yaml: str, **at: Any) -> list[Row]:
    training, ranks = at["training"], at["contrast"]
    half = "one of: " + " / ".join(
        f"resize by {low} of {at['own']}" for low in ("0.5 to 1", "1 to 2")
    )
    view = f"{half}; crop {at['size']} x {at['size']}; flip 0.5"
    ours = view.replace("its own size", "500 x 500")
    moved: dict[str, Any] = dict(ours=ours, why=LONG_SIDE) if ours != view else {}
    return [
        Row("total batch", (16, 16), read.total_batch, f"{yaml}:19"),
        Row("processes", at["processes"], pixels.processes, f"{yaml}:{training}"),
        Row("learning rate", at["lr"], read.rate, f"{yaml}:{training}"),
        Row("learning rate of the head, times", at["head"], pixels.head_rate, f"{_SCRIPT}:100"),
        Row("weight decay, of all parameters", at["decay"], read.decay, f"{yaml}:{training + 2}"),
        Row("weight decay of biases", at["decay"], pixels.bias_decay, f"{_SCRIPT}:105"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{yaml}:{training - 2}"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{yaml}:{training + 4}"),
        Row("loss of labeled images", at["loss"], pixels.sup_loss, f"{yaml}:{at['loss_at']}"),
        Row("weights of the losses", "1; 1 times all pixels by the kept ones", pixels.weights,
            f"{_LOSSES}:44", ours=(1.0, 1.0),
            why="the factor falls from 1.25 to 1 as the share of pixels left out does"),
        Row("mean over", "kept", read.model("reduction"), f"{_LOSSES}:46"),
        Row("share of pixels left out, at first and at the end", (0.2, 0.0),
            read.hook(_QUANTILE, "share", "end"), f"{_SCRIPT}:378"),
        Row("they have the highest", "entropy", read.hook(_QUANTILE, "measure"), f"{_LOSSES}:36"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.99)", pixels.average, f"{_SCRIPT}:533"),
        Row("pseudo labels are made in", "eval mode", pixels.labels, f"{_SCRIPT}:318"),
        Row("views that share a pass", "labeled and strong", pixels.passes, f"{_SCRIPT}:341"),
        Row("weight of the contrast", "1; backward divides it by the processes",
            read.hook(_CONTRAST, "weight"), f"{_SCRIPT}:518", ours=0.1, why="as in the paper"),
        Row("reliable and unsure pixels: shares at first and at the end", (0.2, 0.0),
            read.hook(_CONTRAST, "share", "end"), f"{_SCRIPT}:397"),
        Row("both shares fall in iterations", at["falls"], _falls_over, f"{_SCRIPT}:378"),
        Row("anchors of a class, negatives of each", (256, 50),
            read.hook(_CONTRAST, "anchors", "negatives"), f"{yaml}:{ranks + 7}"),
        Row("temperature", 0.5, read.hook(_CONTRAST, "temperature"), f"{yaml}:{ranks + 9}"),
        Row("likely are the first classes, unlikely those between ranks", (3, 20),
            read.hook(_CONTRAST, "ranks"), f"{yaml}:{ranks + 1}", **at["ranks"]),
        Row("least probability of an anchor", 0.3, read.hook(_CONTRAST, "positive"),
            f"{yaml}:{ranks + 3}"),
        Row("memory of a class, of the first one", (30000, 50000), _memory, f"{_SCRIPT}:167",
            ours=(5000, 10000), why="54 MB of half precision in the checkpoint, not 645 MB"),
        Row("channels of a representation", 256,
            lambda built: built.model.auxiliary["representation"].channels, f"{_DECODER}:105"),
        Row("labeled view", view, read.view("sup"), f"{_AUGMENT}:190", **moved),
        Row("unlabeled view", view, read.view("unsup_teacher"), f"{_AUGMENT}:190", **moved),
        Row("colors", "none", pixels.colors(), f"{yaml}:7"),
        Row("CutMix: probability", "0.5, for the whole batch", pixels.cutmix("prob"),
            f"{_SCRIPT}:327", ours=0.5, why="for each image by itself"),
        Row("CutMix: share of the view", (0.5, 0.5), pixels.cutmix("area"), f"{_AUGMENT}:471"),
        *deeplab(
            dict(
                backbone=f"{yaml}:{at['net']}", stem="U2:u2pl/models/resnet.py:161",
                files="U2:u2pl/models/resnet.py:resnet101", dilations=f"{yaml}:{at['net'] + 2}",
                head=f"{_DECODER}:82", aspp=f"{yaml}:{at['net'] + 10}",
            ),
            depth=101, files="resnet101.pth of the authors", stride=8, last=(4, 8, 16),
            aspp=(12, 24, 36), low=256,
        ),
        Row("dropout in the head", "0.1 at three places", pixels.dropout, f"{_DECODER}:79",
            ours=0.1, why="MMSegmentation's heads have one place, in front of the classes"),
    ]  # fmt: skip


_VOC = "U2:experiments/pascal/1464/ours/config.yaml"
_CITY = "U2:experiments/cityscapes/744/ours/config.yaml"
VOC = Recipe(
    config="u2pl/deeplabv3plus_r101_voc12.py",
    title="U2PL, VOC 2012",
    published_result="mIoU 67.98, 69.15, 73.66, 76.16, 79.49 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, ResNet-101, center crops of 513 (README)",
    rows=(
        *_rows(
            _VOC, own="its own size", size=513, processes=4, training=33, contrast=45, net=70,
            lr=0.001, head=10, decay=1e-4, loss="cross entropy", loss_at=61, ranks={},
            falls=(52400 - 655,) * 2,
        ),
        Row("iterations, classic", {"1/16": 52400, "1/8": 52000, "1/4": 51040, "1/2": 49200,
            "1/1": 45600}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_VOC}:28"),
        Row("iterations, blender", {"1/16": 49600, "1/8": 46240, "1/4": 39680},
            pixels.lengths(*BLENDER, protocol="blender"), f"{_VOC}:28"),
        Row("iterations with labeled images alone", 655, read.model("burn_in"), f"{_SCRIPT}:205"),
        Row("evaluation", "center crops of 513", pixels.evaluation, f"{_VOC}:16",
            ours="whole images, their own size", why="as the other recipes of VOC; not comparable"),
    ),
    notes="In the authors' code the memory of negatives stays nearly empty (their issues 111 and 171), "
    "so these numbers come with next to no contrast. Ours does what the paper says.",
)  # fmt: skip
CITYSCAPES = Recipe(
    config="u2pl/deeplabv3plus_r101_cityscapes.py",
    title="U2PL, Cityscapes",
    published_result="mIoU 70.30, 74.37, 76.47, 79.05 with 1/16, 1/8, 1/4 and 1/2 of the labels",
    protocol="val, ResNet-101, crops of 769 (README, with CutMix)",
    rows=(
        *_rows(
            _CITY, own="2048 x 1024", size=769, processes=8, training=34, contrast=45, net=76,
            lr=0.01, head=1, decay=5e-4, loss_at=63,
            loss="cross entropy of hard pixels, below 0.7, 50,000 or more of each image",
            ranks=dict(ours=(3, 19), why="there are 19 classes"), falls=(34800, 34800),
        ),
        Row("iterations", {"1/30": 36000, "1/16": 34800, "1/8": 32600, "1/4": 27800, "1/2": 18600},
            pixels.lengths(*ROADS), f"{_CITY}:28"),
        Row("weight of the auxiliary head", 0.4,
            lambda built: built.model.student.auxiliary_head.loss_decode.loss_weight, f"{_CITY}:74"),
        Row("iterations with labeled images alone", 0, read.model("burn_in"), f"{_CITY}:30"),
        Row("evaluation", "windows of 769, 513 apart, the last one moved back", pixels.evaluation,
            "U2:eval.py:main"),
    ),
    notes="The authors combine it with AEL for 74.90, 76.48, 78.51 and 79.12, which is not built.",
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES)
