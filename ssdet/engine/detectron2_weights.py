"""Weights of Detectron2 under the names of MMDetection: Faster, Mask and Cascade R-CNN."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exits import CheckpointError
from .checkpoint_file import read_checkpoint

Weights = dict[str, Tensor]
# What a file of the model zoo may hold: arrays in dictionaries.
_HARMLESS = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}
_TRUNK = r"(?:backbone\.bottom_up\.)?"  # a file of a backbone alone begins with its stem
_BLOCK = _TRUNK + r"res(\d)\.(\d+)\."
# At the start of a name: what it becomes. The lowest level of the pyramid is 2 in R-CNN.
_RULES: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (_TRUNK + r"stem\.conv1\.norm\.", lambda m: "backbone.bn1."),
    (_TRUNK + r"stem\.conv1\.", lambda m: "backbone.conv1."),
    (_BLOCK + r"shortcut\.norm\.", lambda m: f"{_block(m)}downsample.1."),
    (_BLOCK + r"shortcut\.", lambda m: f"{_block(m)}downsample.0."),
    (_BLOCK + r"conv(\d)\.norm\.", lambda m: f"{_block(m)}bn{m[3]}."),
    (_BLOCK + r"conv(\d)\.", lambda m: f"{_block(m)}conv{m[3]}."),
    (r"backbone\.fpn_lateral([2-5])\.norm\.", lambda m: f"neck.lateral_convs.{_less(m[1], 2)}.bn."),
    (r"backbone\.fpn_lateral([2-5])\.", lambda m: f"neck.lateral_convs.{_less(m[1], 2)}.conv."),
    (r"backbone\.fpn_output([2-5])\.norm\.", lambda m: f"neck.fpn_convs.{_less(m[1], 2)}.bn."),
    (r"backbone\.fpn_output([2-5])\.", lambda m: f"neck.fpn_convs.{_less(m[1], 2)}.conv."),
    (r"proposal_generator\.rpn_head\.conv\.(?!conv)", lambda m: "rpn_head.rpn_conv."),
    (r"proposal_generator\.rpn_head\.objectness_logits\.", lambda m: "rpn_head.rpn_cls."),
    (r"proposal_generator\.rpn_head\.anchor_deltas\.", lambda m: "rpn_head.rpn_reg."),
    (r"roi_heads\.box_head\.(\d+\.)?fc(\d)\.",
     lambda m: f"roi_head.bbox_head.{m[1] or ''}shared_fcs.{_less(m[2], 1)}."),
    (r"roi_heads\.box_predictor\.(\d+\.)?cls_score\.",
     lambda m: f"roi_head.bbox_head.{m[1] or ''}fc_cls."),
    (r"roi_heads\.box_predictor\.(\d+\.)?bbox_pred\.",
     lambda m: f"roi_head.bbox_head.{m[1] or ''}fc_reg."),
    (r"roi_heads\.mask_head\.mask_fcn(\d)\.",
     lambda m: f"roi_head.mask_head.convs.{_less(m[1], 1)}.conv."),
    (r"roi_heads\.mask_head\.deconv\.", lambda m: "roi_head.mask_head.upsample."),
    (r"roi_heads\.mask_head\.predictor\.", lambda m: "roi_head.mask_head.conv_logits."),
]  # fmt: skip
_RENAMED = [(re.compile(pattern), new) for pattern, new in _RULES]
_MASKS = "roi_head.mask_head."


def read_weights(path: str | Path) -> Weights:
    """The tensors of a file of Detectron2, or of MMDetection, read as data."""
    path = Path(path)
    saved: Any = _read_pickle(path) if path.suffix == ".pkl" else read_checkpoint(path)
    for key in ("model", "state_dict"):
        if isinstance(saved, Mapping) and isinstance(saved.get(key), Mapping):
            saved = saved[key]
    found = {
        str(name): torch.as_tensor(value)
        for name, value in (saved.items() if isinstance(saved, Mapping) else ())
        if isinstance(value, (Tensor, np.ndarray))
    }
    if not found:
        raise CheckpointError(
            f"{path}: it holds no tensors; give a file of weights of Detectron2 (.pkl, .pth) or of "
            "MMDetection"
        )
    return found


def renamed(weights: Mapping[str, Tensor]) -> tuple[Weights, list[str]]:
    """The weights under the names of MMDetection, and the names that have no place there.

    The models have a ResNet and a FPN. Cascade R-CNN has one mask head in Detectron2, and one for
    each stage in MMDetection: all get it. Order of classes (the background last), of anchors and of
    coordinates, and how boxes are encoded, are the same in both.
    """
    found: Weights = {}
    left = []
    for name, value in weights.items():
        new = _new_name(name)
        if new is None:
            left.append(name)
        else:
            found[new] = value
    stages = {m[1] for name in found if (m := re.match(r"roi_head\.bbox_head\.(\d+)\.", name))}
    for name in [name for name in found if stages and name.startswith(_MASKS)]:
        value = found.pop(name)
        found |= {name.replace(_MASKS, f"{_MASKS}{stage}."): value for stage in sorted(stages)}
    return found, left


def with_classes(weights: Mapping[str, Tensor], groups: Sequence[Sequence[int]]) -> Weights:
    """Weights whose classes are groups of the present ones.

    In each last layer a new class has the mean row of its group; without any, that of all classes.
    The background stays. Boxes and masks that do not differ by class stay.

    Args:
        weights: Under the names of MMDetection.
        groups: For each new class the numbers of the present classes that are it.
    """
    found = dict(weights)
    count = classes_of(weights)
    wrong = sorted({number for group in groups for number in group if not 0 <= number < count})
    if wrong:
        raise CheckpointError(f"classes {wrong} are none of the {count} of these weights")
    rows = [list(group) or list(range(count)) for group in groups]
    for name, value in weights.items():
        layer = name.split(".")[-2] if "." in name else ""
        if layer == "fc_cls":
            found[name] = torch.cat([_means(value[:-1], rows), value[-1:]])
        elif layer == "fc_reg" and len(value) == 4 * count:
            each = value.unflatten(0, (count, 4))
            found[name] = _means(each, rows).flatten(0, 1)
        elif layer == "conv_logits" and len(value) == count:
            found[name] = _means(value, rows)
    return found


def classes_of(weights: Mapping[str, Tensor]) -> int:
    """How many classes the box head tells apart, without the background."""
    rows = [len(value) for name, value in weights.items() if name.endswith("fc_cls.bias")]
    if not rows:
        raise CheckpointError(
            "these weights have no box head of a R-CNN, so no classes; leave them as they are"
        )
    return rows[0] - 1


def _means(rows: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    return torch.stack([rows[list(group)].mean(0) for group in groups])


def _new_name(name: str) -> str | None:
    for pattern, new in _RENAMED:
        match = pattern.match(name)
        if match:
            return new(match) + name[match.end() :]
    return None


def _block(match: re.Match[str]) -> str:
    return f"backbone.layer{_less(match[1], 1)}.{match[2]}."


def _less(number: str, by: int) -> int:
    return int(number) - by


class _Arrays(pickle.Unpickler):
    """Reads arrays in dictionaries; anything else is refused before it runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise CheckpointError(
                f"it holds more than arrays ({module}.{name}), and reading it could run code that "
                "came with it, so it was not read. Give a file of weights alone"
            )
        return super().find_class(module, name)


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _Arrays(file, encoding="latin1").load()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (OSError, EOFError, ValueError, KeyError, IndexError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: it cannot be read as a pickle: {error}") from None
