"""SemiVL."""

from __future__ import annotations

from . import pixels
from .. import readers as read
from ..built import Built
from ..table import Recipe, Repository, Row
from .unimatch import CLASSIC, NEXT, PADDED, STRONG

REPOSITORIES = {"SV": Repository("google-research/semivl", "13ee65d")}
_EXPERIMENTS, _SCRIPT, _MODEL = "SV:experiments.py", "SV:semivl.py", "SV:model"
_NETWORK = "SV:configs/_base_/models/vlm-vlg-aspp-s2p4-sk04-ftap-mcvitb.py"
_DATA = "SV:third_party/unimatch/dataset"
_GUIDE, _STREAM = "TextGuidanceHook", "FeaturePerturbationHook"
_VIEW = "resize by 0.5 to 2 of 2048 x 512; crop 512 x 512; flip 0.5"


def _rate(built: Built, part: str) -> float:
    """Rate of the first parameter that learns of a part, in that of the run."""
    name = next(name for name in built.groups if name.startswith(f"student.{part}."))
    return built.groups[name][0] / float(built.config.optim_wrapper.optimizer.lr)


def _names(built: Built) -> str:
    """How many names the guidance has for a class, and for the background."""
    background, *counts = map(len, built.model.auxiliary.clip.texts.concepts)
    return f"{min(counts)} to {max(counts)}, best; {background} of the background"


VOC = Recipe(
    config="semivl/vlg_clip-b_voc12.py",
    title="SemiVL, VOC 2012",
    published_result="mIoU 84.0, 85.6, 86.0, 86.7, 87.3 with 92, 183, 366, 732 and 1,464 labels",
    protocol="val, CLIP's ViT-B, crops of 512 (README of UniMatch V2)",
    rows=(
        Row("total batch", (8, 8), read.total_batch, f"{_EXPERIMENTS}:config_from_vars"),
        Row("processes", 4, pixels.processes, f"{_EXPERIMENTS}:config_from_vars"),
        Row("learning rate", 1e-4, read.setting("optim_wrapper.optimizer.lr"), f"{_EXPERIMENTS}:config_from_vars"),
        Row("of the encoder, times", 0.01, lambda built: _rate(built, "backbone"),
            f"{_EXPERIMENTS}:config_from_vars"),
        Row("of the head, times", 10, lambda built: _rate(built, "decode_head"),
            f"{_EXPERIMENTS}:config_from_vars"),
        Row("weight decay, of all parameters", 0.01, read.decay, f"{_EXPERIMENTS}:config_from_vars"),
        Row("optimizer", "AdamW", read.optimizer, f"{_EXPERIMENTS}:config_from_vars"),
        Row("schedule", "polynomial 0.9 to 0", pixels.schedule, f"{_SCRIPT}:main"),
        Row("iterations, classic", {"1/16": 104880, "1/8": 104000, "1/4": 102160, "1/2": 98480,
            "1/1": 91200}, pixels.lengths(*CLASSIC, protocol="classic"), f"{_SCRIPT}:main"),
        Row("loss of labeled images", "cross entropy", pixels.sup_loss, f"{_SCRIPT}:main"),
        Row("weights of the losses", (0.5, 0.5), pixels.weights, f"{_SCRIPT}:319"),
        Row("of it, perturbed features", 0.5, read.hook(_STREAM, "share"), f"{_SCRIPT}:319"),
        Row("dropped channels", 0.5, read.hook(_STREAM, "prob"), f"{_MODEL}/vlm.py:VLM"),
        Row("threshold", 0.95, pixels.threshold, f"{_EXPERIMENTS}:config_from_vars"),
        Row("mean over", "valid", read.model("reduction"), f"{_SCRIPT}:main"),
        Row("averaged teacher", "none", pixels.average, f"{_SCRIPT}:main"),
        Row("pseudo labels are made in", "training mode", pixels.labels, f"{_SCRIPT}:main",
            ours="eval mode", why="the network has no statistics; no dropout is on in the labels"),
        Row("weight of the guidance, at first and at the end", (0.1, 0.0),
            read.hook(_GUIDE, "start", "end"), f"{_SCRIPT}:322"),
        Row("threshold of the guidance", 0.9, read.hook(_GUIDE, "score"),
            f"{_EXPERIMENTS}:config_from_vars"),
        Row("cosines of the guidance, times", 100.0, read.model("auxiliary.clip.scale"),
            f"{_MODEL}/vlm.py:VLM"),
        Row("names of each class, for the guidance", "4, best; about 45 of the background",
            _names, f"{_MODEL}/text_embeddings.py:concept4", ours="2 to 4, best; 45 of the background",
            why="lists of our own"),
        Row("what learns of the encoder", "attn, pos_embed",
            lambda built: sorted({part for name in built.groups if "backbone" in name
                                  for part in ("self_attn", "position_embedding") if part in name}),
            f"{_NETWORK}:exclude_keys",
            ours=["position_embedding", "self_attn"], why="their names in transformers"),
        Row("blocks that are read beside the last", (0, 4),
            lambda built: tuple(sorted(built.model.student.backbone.skips)),
            f"{_NETWORK}:out_indices"),
        Row("channels of the decoder", 128, read.model("student.decode_head.channels"),
            f"{_NETWORK}:channels=128"),
        Row("CutMix: a box shows", "another crop of the same image", pixels.partner,
            f"{_SCRIPT}:main", ours="the next image of the batch", why=NEXT),
        Row("weak view", _VIEW, read.view("unsup_teacher"), f"{_DATA}/semi.py:Resize"),
        Row("strong views: then", STRONG, pixels.colors(), f"{_DATA}/semi.py:ColorJitter"),
        Row("padding of crops", "black, not trained on", pixels.padding,
            f"{_DATA}/transform.py:crop", ours="the mean color, not trained on", why=PADDED),
        Row("evaluation", "windows of 512, 426 apart, the last one moved back", pixels.evaluation,
            f"{_EXPERIMENTS}:zegclip_sliding_window"),
    ),
)  # fmt: skip
RECIPES = (VOC,)
