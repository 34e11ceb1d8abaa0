"""What another model's file, preprocessor and heads say, for a teacher of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from ..exits import UsageError
from .by_reference import digest_of
from .heads import last_decode_head


def read_weights(name: str) -> tuple[dict[str, Tensor], Sequence[str] | None, Tensor]:
    """Weights of a plain model or of a run's teacher, names of its classes, sha256 (32 bytes)."""
    content = CheckpointLoader.load_checkpoint(name, map_location="cpu")
    path = Path(name).expanduser()
    if not path.is_file():  # an address, which has just been downloaded
        path = Path(torch.hub.get_dir()) / "checkpoints" / name.split("?")[0].rsplit("/", 1)[-1]
    about = (content.get("meta") or {}).get("dataset_meta") or {}
    files = [path] if path.is_file() else []
    return _weights(content), about.get("classes"), digest_of(files)


def _weights(content: dict[str, Any]) -> dict[str, Tensor]:
    """Of a plain model; of a run of ssdet, those of its teacher, or else of its student."""
    state: dict[str, Tensor] = content.get("state_dict", content)
    for prefix in ("teacher.network.", "teacher.", "student."):
        found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if found and f"{prefix}sha256" not in state:
            return found
    return state


def normalization_between(student: Any, teacher: Any) -> tuple[Tensor, Tensor, bool]:
    """What makes the student's input the teacher's: factor, summand, and if channels turn round."""
    (mean, std, flips), (their_mean, their_std, they_flip) = map(_normalization, (student, teacher))
    turned = flips != they_flip
    if turned:
        mean, std = mean.flip(0), std.flip(0)
    if mean.shape != their_mean.shape and 1 not in (len(mean), len(their_mean)):
        raise UsageError(
            f"teacher: its data_preprocessor normalizes {len(their_mean)} channels, that of the "
            f"student {len(mean)}; a teacher needs images of the same kind"
        )
    return std / their_std, (mean - their_mean) / their_std, turned


def _normalization(preprocessor: Any) -> tuple[Tensor, Tensor, bool]:
    """Mean and deviation (C, 1, 1) in the order that the model sees, and if channels are turned."""
    names = ("_channel_conversion", "channel_conversion")  # of MMDetection, of MMSegmentation
    flips = any(bool(getattr(preprocessor, name, False)) for name in names)
    if not getattr(preprocessor, "_enable_normalize", False):
        return torch.zeros(1, 1, 1), torch.ones(1, 1, 1), flips
    return preprocessor.mean.clone(), preprocessor.std.clone(), flips


def padding_of(preprocessor: Any) -> tuple[int, float]:
    """Of what number sides are multiples, and the value of the padding."""
    for divisor, value in (("pad_size_divisor", "pad_value"), ("size_divisor", "pad_val")):
        found = getattr(preprocessor, divisor, None)
        if found:
            return int(found), float(getattr(preprocessor, value, 0) or 0)
    return 1, 0.0


def form_of(network: Any) -> str:
    """What the outputs of a network look like, in words that can be compared."""
    if hasattr(network, "decode_head"):
        head = last_decode_head(network)
        layer = getattr(head, "conv_seg", None)
        width = f" from {layer.in_channels} features" if layer is not None else ""
        return f"{getattr(head, 'out_channels', None) or head.num_classes} maps{width}"
    head = getattr(network, "rpn_head", None) or getattr(network, "bbox_head", None)
    strides = getattr(getattr(head, "prior_generator", None), "strides", None)
    queries = getattr(network, "num_queries", None)
    layout = f"at strides {list(strides)}" if strides else f"of {queries} queries"
    return f"{type(head).__name__} {layout}"
