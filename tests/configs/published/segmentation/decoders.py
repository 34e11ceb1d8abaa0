"""Slices without pseudo labels: MC-Net+ and SS-Net."""

from __future__ import annotations

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .slices import NO_DROPOUT, TURNS

REPOSITORIES = {
    "MC": Repository("ycwu1997/MC-Net", "fee453c"),
    "SN": Repository("ycwu1997/SS-Net", "8b3ec97"),
}


def _rows(script: str, network: str, turns: str) -> list[Row]:
    """What both have in common."""
    return [
        Row("total batch", (12, 12), read.total_batch, f"{script}:train"),
        Row("processes", 1, pixels.processes, f"{script}:train"),
        Row("learning rate", 0.01, read.rate, f"{script}:train"),
        Row("weight decay, of all parameters", 1e-4, read.decay, f"{script}:train"),
        Row("weight decay of biases", 1e-4, pixels.bias_decay, f"{script}:train"),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, f"{script}:train"),
        Row("schedule", "constant", pixels.schedule, f"{script}:train"),
        Row("iterations", 30000, read.iterations, f"{script}:train"),
        Row("loss of labeled images", "Dice", pixels.sup_loss, f"{script}:train"),
        Row("weights of the losses: labels, pseudo labels", (1.0, 0.0), pixels.weights,
            f"{script}:train"),
        Row("averaged teacher", "none", pixels.average, f"{script}:train"),
        Row("views that share a pass", "labeled and strong", pixels.passes, f"{script}:train"),
        Row("the unlabeled view has other colors", "none", pixels.colors(), f"{script}:train"),
        Row("labeled view", "turned and mirrored, then resized to 256 x 256", read.view("sup"), turns,
            ours=TURNS, why="the same turns and mirrors, equally often, behind the resizing"),
        Row("channels of the UNet", (16, 256),
            lambda built: (built.model.student.backbone.base_channels,
                           16 * built.model.student.backbone.base_channels),
            network),
        Row("dropout in the UNet", "0.05 to 0.5, level by level", pixels.dropout, network, ours=0.0,
            why=NO_DROPOUT),
        Row("evaluation", "Dice of each volume", pixels.metric, f"{script}:val_2d"),
    ]  # fmt: skip


_MC, _UNET = "MC:code/train_mcnet_2d.py", "MC:code/networks/unet.py"
_HOOK = "MutualDecodersHook"


def _upsampling(built: Built) -> list[str]:
    """How each decoder enlarges."""
    configs = [built.config.model.segmentor.backbone, *built.config.model.auxiliary.values()]
    kinds = [config.upsample_cfg for config in configs]
    return [
        "transposed" if kind.type == "DeconvModule" else kind.get("upsample_cfg", {}).get("mode", "bilinear")
        for kind in kinds
    ]  # fmt: skip


MC_NET = Recipe(
    config="mc_net/unet_acdc.py",
    title="MC-Net+, ACDC",
    published_result="Dice 62.85 and 86.44 with 3 and 7 of 70 patients (recalled; MC-Net, two decoders)",
    protocol="test volumes, mean of three classes and volumes",
    rows=(
        *_rows(_MC, f"{_UNET}:MCNet2d_v2", "MC:code/dataloaders/dataset.py:RandomGenerator"),
        Row("decoders enlarge", ["bilinear", "transposed", "nearest"], _upsampling,
            f"{_UNET}:MCNet2d_v2"),
        Row("weight of the consistency", 0.1, read.hook(_HOOK, "weight"), f"{_MC}:train"),
        Row("iterations of its ramp", 30000, read.hook(_HOOK, "ramp_length"), f"{_MC}:train"),
        Row("temperature", 0.1, read.hook(_HOOK, "temperature"), f"{_MC}:sharpening"),
        Row("no gradient through the sharpened", False, read.hook(_HOOK, "detach"), f"{_MC}:train",
            ours=True, why="they are targets, as the paper draws them"),
    ),
)  # fmt: skip
_SS = "SN:code/train_ss_2d.py"
SS_NET = Recipe(
    config="ss_net/unet_acdc.py",
    title="SS-Net, ACDC",
    published_result="Dice 65.83 and 86.78 with 3 and 7 of 70 patients (recalled)",
    protocol="test volumes, mean of three classes and volumes",
    rows=(
        *_rows(_SS, "SN:code/networks/unet.py:UNet", "SN:code/dataloaders/dataset.py:RandomGenerator"),
        Row("weight of the smoothness", 0.1, read.hook("AdversarialSmoothnessHook", "weight"),
            f"{_SS}:train"),
        Row("lengths of the noise, times 1/256 for each value", (10.0, 6.0),
            lambda built: tuple(256 * getattr(built.hook("AdversarialSmoothnessHook"), name)
                                for name in ("probe", "strength")),
            "SN:code/utils/losses.py:VAT2d"),
        Row("weight of the compactness", 0.01, read.hook("ClassCompactnessHook", "weight"),
            f"{_SS}:train"),
        Row("remembered of each class", 32,
            lambda built: built.hook("ClassCompactnessHook").bank.size, f"{_SS}:train"),
        Row("not remembered is class", 0, read.hook("ClassCompactnessHook", "background"),
            f"{_SS}:train"),
        Row("iterations of both ramps", (30000, 30000),
            lambda built: tuple(built.hook(name).ramp_length for name in
                                ("AdversarialSmoothnessHook", "ClassCompactnessHook")),
            f"{_SS}:train"),
    ),
)  # fmt: skip
RECIPES = (MC_NET, SS_NET)
