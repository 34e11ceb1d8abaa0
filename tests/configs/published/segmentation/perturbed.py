"""RankMatch and DDFP."""

from __future__ import annotations

from . import pixels, unimatch
from .. import readers as read
from ..table import Recipe, Repository, Row
from .deeplab import deeplab
from .unimatch import BLENDER, CLASSIC, LONG_SIDE, STRONG

REPOSITORIES = {
    "RM": Repository("mai556/RankMatch", "abb13e1"),
    "DD": Repository("Gavinwxy/DDFP", "68b29d0"),
}
_RANKS = "RankCorrelationHook"
_AS_UNIMATCH = (
    "The configs are those of UniMatch, unchanged; rows that name its files are the same there."
)


def _ranked(base: Recipe, config: str, title: str, result: str) -> Recipe:
    """The rows of UniMatch, and those of what is added to it."""
    script = "RM:rankmatch.py"
    return Recipe(
        config=config,
        title=title,
        published_result=result,
        protocol=base.protocol.partition("(")[0] + "(recalled)",
        rows=(
            *base.rows,
            Row("weight of the ranks", 0.1,
                lambda built: built.hook(_RANKS).weight * built.model.unsup_weight, f"{script}:main"),
            Row("agents, of them in order", (64, 4), read.hook(_RANKS, "agents", "top"),
                f"{script}:corr_loss"),
            Row("compared are", "outputs of the ASPP", read.hook(_RANKS, "layer"),
                f"{script}:main", ours="decode_head.bottleneck", why="its name in MMSegmentation"),
        ),
        notes=_AS_UNIMATCH,
    )  # fmt: skip


VOC = _ranked(
    unimatch.VOC,
    "rankmatch/deeplabv3plus_r101_voc12.py",
    "RankMatch, VOC 2012",
    "mIoU 75.5, 77.6, 79.8, 80.7, 82.2 with 92, 183, 366, 732 and 1,464 labels (recalled)",
)
CITYSCAPES = _ranked(
    unimatch.CITYSCAPES,
    "rankmatch/deeplabv3plus_r101_cityscapes.py",
    "RankMatch, Cityscapes",
    "mIoU 77.1, 78.6, 80.0, 80.7 with 1/16, 1/8, 1/4 and 1/2 of the labels (recalled)",
)
_YAML, _SCRIPT = "DD:exp/pascal/732/exp/config.yaml", "DD:train_ddfp_pascal.py"
_DESCENT = "DensityDescentHook"
_VIEW = "resize by 0.5 to 2 of its own size; crop 513 x 513; flip 0.5"
DDFP = Recipe(
    config="ddfp/deeplabv3plus_r101_voc12.py",
    title="DDFP, VOC 2012",
    published_result="mIoU 75.0, 78.0, 79.5, 81.2, 82.0 with 92, 183, 366, 732 and 1,464 labels "
    "(recalled)",
    protocol="center crops of 513 of val, ResNet-101, better of student and teacher",
    rows=(
        Row("total batch", (16, 16), read.total_batch, f"{_YAML}:19"),
        Row("processes", 4, pixels.processes, f"{_YAML}:35"),
        Row("learning rate", 0.001, read.rate, f"{_YAML}:35"),
        Row("learning rate of the head, times", 10, pixels.head_rate, f"{_SCRIPT}:main"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{_YAML}:37"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{_YAML}:33"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_YAML}:39"),
        Row("iterations, classic", {"1/16": 52400, "1/8": 52000, "1/4": 51040, "1/2": 49200,
            "1/1": 45600}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_YAML}:30"),
        Row("iterations, blender", {"1/16": 49600, "1/8": 46240, "1/4": 39680},
            pixels.lengths(*BLENDER, protocol="blender"), f"{_YAML}:30"),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, f"{_YAML}:57"),
        Row("weights of the losses", (1.0, 1.0), pixels.weights, f"{_SCRIPT}:train"),
        Row("mean over", "kept", read.model("reduction"), "DD:model/flow/loss.py:compute_unsupervised_loss"),
        Row("threshold", 0.95, pixels.threshold, f"{_YAML}:48"),
        Row("averaged teacher", "min(1 - 1/(t+1), 0.999)", pixels.average, f"{_SCRIPT}:train"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_SCRIPT}:train",
            ours="eval mode", why="the batch of a process is small for statistics of its own"),
        Row("views that share a pass", "labeled and strong", pixels.passes, f"{_SCRIPT}:train"),
        Row("iterations with labeled images alone", 655, read.model("burn_in"), f"{_YAML}:46"),
        Row("iterations through which the flow learns alone", 655, read.hook(_DESCENT, "start"),
            f"{_YAML}:47"),
        Row("of the unsupervised loss, moved features", 0.5, read.hook(_DESCENT, "share"),
            f"{_YAML}:49"),
        Row("length of the move", 4.0, read.hook(_DESCENT, "length"), f"{_YAML}:102"),
        Row("pixels that the flow learns from", 20480, read.hook(_DESCENT, "samples"),
            f"{_SCRIPT}:train"),
        Row("noise of these", 0.05, read.hook(_DESCENT, "noise"), f"{_YAML}:88"),
        Row("blocks of the flow, width", (2, 256),
            lambda built: (len(built.model.auxiliary.flow.blocks),
                           built.config.model.auxiliary.flow.hidden),
            f"{_YAML}:85"),
        Row("factors are clamped at e to the", 2.0,
            lambda built: built.model.auxiliary.flow.blocks[0].clamp, f"{_YAML}:86"),
        Row("optimizer of the flow", "Adam, 0.001, down to 1 %",
            lambda built: built.groups["auxiliary.flow.means"], f"{_YAML}:83",
            ours=(0.01, 0.0), why="rate and decay of SGD, of the loss for each dimension: a run has one "
            "optimizer"),
        Row("CutMix: probability", "0.5, for the whole batch", pixels.cutmix("prob"),
            f"{_SCRIPT}:train", ours=0.5, why="for each image by itself"),
        Row("CutMix: share of the view", (0.5, 0.5), pixels.cutmix("area"),
            "DD:dataset/transform.py:generate_unsup_data"),
        Row("weak view", _VIEW, read.view("unsup_teacher"), f"{_YAML}:8",
            ours=_VIEW.replace("its own size", "500 x 500"), why=LONG_SIDE),
        Row("strong view: then", STRONG, pixels.colors(), "DD:dataset/pascal_voc.py:ColorJitter"),
        *deeplab(
            dict(
                backbone=f"{_YAML}:67", stem="DD:model/model/resnet.py:ResNet",
                files="DD:README.md:pretrained", dilations=f"{_YAML}:72", head=f"{_YAML}:74",
                aspp=f"{_YAML}:77",
            ),
            depth=101, files="resnet101.pth of the README", stride=16, last=(1, 2, 2),
            aspp=(6, 12, 18),
        ),
        Row("evaluation", "center crops of 513", pixels.evaluation, f"{_YAML}:16",
            ours="whole images, their own size", why="as the other recipes of VOC; not comparable"),
    ),
    notes="The file for 1,464 labels lacks the threshold, and the script fails with it.",
)  # fmt: skip
RECIPES = (VOC, CITYSCAPES, DDFP)
