"""What rows of segmentation read."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ..built import Built
from ..views import describe


def processes(built: Built) -> int:
    """How many processes a training has."""
    return built.total_batch[0] // int(built.config.train_dataloader.sampler.batch[0])


def head_rate(built: Built) -> float:
    """Rate of the decode head, in those of the backbone."""
    first = next(name for name in built.groups if name.startswith("student.backbone."))
    return built.groups["student.decode_head.conv_seg.weight"][0] / built.groups[first][0]


def bias_decay(built: Built) -> float:
    """Weight decay of the biases."""
    return built.groups["student.decode_head.conv_seg.bias"][1]


def norm_decay(built: Built) -> float:
    """Weight decay of the norms: of one in the backbone."""
    names = [name for name in built.groups if name.startswith("student.backbone.")]
    return built.groups[next(name for name in names if ".bn" in name)][1]


def schedule(built: Built) -> str:
    """How the rate falls."""
    words = [_schedule(one) for one in built.config.param_scheduler]
    return ", then ".join(words) or "constant"


def _schedule(one: Any) -> str:
    if one.type == "PolyLR":
        return f"polynomial {one.power:g} to {one.eta_min:g}"
    if one.type == "LinearLR":
        return f"{one.end:,} iterations from {one.start_factor:g} of it"
    return f"cosine from {one.begin:,} to {one.end:,}, down to {one.eta_min:g}"


def lengths(*splits: str, key: str = "split", **options: Any) -> Callable[[Built], dict[str, int]]:
    """Iterations for each split."""

    def found(built: Built) -> dict[str, int]:
        configs = {split: built.with_options(**options, **{key: split}).config for split in splits}
        return {_share(split): int(c.train_cfg.max_iters) for split, c in configs.items()}

    return found


def _share(split: Any) -> str:
    return split.replace("_", "/") if isinstance(split, str) else f"{split} %"


def sup_loss(built: Built) -> str:
    """The loss of labeled images."""
    head = built.model.student.decode_head
    losses = head.loss_decode if hasattr(head.loss_decode, "__iter__") else [head.loss_decode]
    names = {"CrossEntropyLoss": "cross entropy", "ClassDiceLoss": "Dice"}
    weighted = [(names[type(one).__name__], one.loss_weight) for one in losses]
    if len(weighted) > 1:
        return " + ".join(f"{weight:g} {name}" for name, weight in weighted)
    sampler = head.sampler
    if sampler is None:
        return weighted[0][0]
    kept = f"{sampler.min_kept:,} or more of each image"
    return f"{weighted[0][0]} of hard pixels, below {sampler.thresh:g}, {kept}"


def weights(built: Built) -> tuple[float, float]:
    """Factors of the supervised and the unsupervised loss."""
    return built.model.sup_weight, built.model.unsup_weight


def average(built: Built) -> str:
    """How the teacher follows the student."""
    hook = built.hook("TeacherEMAHook")
    if not hook.momentum:
        return "none"
    return f"min(1 - 1/(t+1), {hook.momentum:g})" if hook.schedule == "mean" else f"{hook.momentum:g}"


def threshold(built: Built) -> float | None:
    """The score from which pixels are trained on."""
    found = [hook for hook in built.hooks if "Threshold" in type(hook).__name__]
    return found[0].score if found else None


def cutmix(*names: str) -> Callable[[Built], Any]:
    """Settings of the boxes that are pasted; None where there are none."""

    def found(built: Built) -> Any:
        hooks = [hook for hook in built.hooks if type(hook).__name__ == "CutMixHook"]
        return attrgetter(*names)(hooks[0]) if hooks else None

    return found


def partner(built: Built) -> str:
    """What a box shows."""
    source = built.hook("CutMixHook").source
    return {"unlabeled": "the next image of the batch", "labeled": "a labeled image"}[source]


def colors(branch: str = "unsup_student") -> Callable[[Built], str]:
    """What is done to a strong view and not to the weak one."""

    return lambda built: describe(built.views[branch][1]) or "none"


def labels(built: Built) -> str:
    """In which mode the network is that labels the weak view."""
    return "training mode" if built.model.train().teacher.training else "eval mode"


def passes(built: Built) -> str:
    """Which images share a pass, and so batch statistics."""
    if not built.model.joint_pass:
        return "none: a pass for each view"
    weak = any("weak_pass" in hook.needs for hook in built.hooks)
    return "labeled, weak and strong" if weak else "labeled and strong"


def perturbed(built: Built) -> str:
    """Whose features lose channels, and when."""
    shared = built.hook("FeaturePerturbationHook").shared
    return "labeled and weak, in the same pass" if shared else "weak, in a pass of its own"


def padding(built: Built) -> str:
    """What a crop shows beyond its image."""
    value = built.config.model.segmentor.data_preprocessor.pad_val
    return "the mean color, not trained on" if value == 0 else f"{value:g} after normalization"


def depth(built: Built) -> int:
    """Layers of the student's ResNet."""
    return int(built.model.student.backbone.depth)


def stem(built: Built) -> str:
    """The first convolutions of a ResNet."""
    backbone = built.model.student.backbone
    if not backbone.deep_stem:
        return "one of 7x7, 64 channels"
    return "three of 3x3, " + ", ".join(str(m.out_channels) for m in backbone.stem[::3])


def output_stride(built: Built) -> int:
    """By how much the last features of a ResNet are smaller than the image."""
    return 4 * math.prod(built.model.student.backbone.strides)


def last_dilations(built: Built) -> tuple[int, ...]:
    """Dilations of the blocks of the last stage of a ResNet."""
    blocks = built.model.student.backbone.layer4
    convs = [block.conv2 if hasattr(block, "conv3") else block.conv1 for block in blocks]
    return tuple(conv.dilation[0] for conv in convs)


def initial(built: Built) -> str:
    """Where the first weights of the backbone come from."""
    backbone = built.config.model.segmentor.backbone
    if backbone.type == "DINOv2":
        return str(backbone.checkpoint).rpartition("/")[2]
    return str(backbone.init_cfg.checkpoint)


def head(built: Built) -> str:
    """Which convolutions a head of DeepLabV3+ has."""
    kind = type(built.model.student.decode_head).__name__
    return {"PlainASPPHead": "plain", "DepthwiseSeparableASPPHead": "separable"}[kind]


def aspp(built: Built) -> tuple[int, ...]:
    """Dilations of the ASPP, without the convolution of 1x1."""
    return tuple(built.model.student.decode_head.dilations[1:])


def low_level(built: Built) -> int:
    """Channels that the low level is reduced to."""
    return int(built.model.student.decode_head.c1_bottleneck.out_channels)


def dropout(built: Built) -> float:
    """Dropout in front of the classes."""
    return float(built.model.student.decode_head.dropout_ratio)


def metric(built: Built) -> str:
    """What a validation of slices counts."""
    found = built.config.val_evaluator
    kinds = [one.type for one in (found if isinstance(found, list) else [found])]
    return "Dice of each volume" if "VolumeMetric" in kinds else ", ".join(kinds)


def evaluation(built: Built) -> str:
    """How an image of the validation is seen."""
    settings = built.config.model.segmentor.test_cfg
    if settings.mode == "whole":
        return "whole images, their own size"
    (side, _), (step, _) = settings.crop_size, settings.stride
    return f"windows of {side}, {step} apart, the last one moved back"
