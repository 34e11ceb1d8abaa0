"""The method for a model: the one asked for, if it suits the model, or a recommended one."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from ..exits import UsageError
from ..formats.options import option
from .methods import AUTO, METHODS
from .models import Base


def choose_method(name: str, base: Base) -> str:
    """The name of a method that suits the model of the base; "auto" is the recommended one."""
    if name == "auto":
        return next(method for method in AUTO[base.task] if suits(method, base))
    check_known(name, base.task)
    check_needs(name, base)
    return name


def check_known(name: str, task: str) -> None:
    """Refuse a name that is not a method for the task, and list the methods."""
    recipe = METHODS.get(name)
    if recipe is not None and recipe.task == task:
        return
    known = ["auto", *(key for key, other in METHODS.items() if other.task == task)]
    close = difflib.get_close_matches(name, known, n=1)
    if recipe is None and close:
        raise UsageError(f"{option('method', name)}: no such method; did you mean {close[0]!r}?")
    what = "unknown"
    if recipe is not None:
        what = f"a method for {recipe.task}, and the base is a model for {task}"
    raise UsageError(
        f"{option('method', name)}: {what}; for {task}: {', '.join(known)}. `ssdet init --list` "
        f"shows all"
    )


def check_needs(name: str, base: Base) -> None:
    """Refuse a model that the method cannot work with, and name a method that can."""
    if not suits(name, base):
        recipe = METHODS[name]
        instead = next(other for other in recipe.instead if suits(other, base))
        raise UsageError(
            f"{option('method', name)}: needs {NEEDS[recipe.needs][0]}, and the model of "
            f"{base.name!r} is not one; use {option('method', instead)} with it"
        )


def suits(name: str, base: Base) -> bool:
    """Whether the model of the base has what the method needs."""
    needs = METHODS[name].needs
    return not needs or NEEDS[needs][1](base)


def _two_stage(base: Base) -> bool:
    """Proposals of an RPN, judged by RoI heads; Sparse R-CNN has learned ones."""
    rpn: dict[str, Any] = base.model.get("rpn_head") or {}
    return "roi_head" in base.model and rpn.get("type", "EmbeddingRPNHead") != "EmbeddingRPNHead"


def _one_stage(base: Base) -> bool:
    """Dense predictions that NMS merges: not those of queries, and no masks."""
    head: dict[str, Any] = base.model.get("bbox_head") or {}
    other = {"decoder", "encoder", "roi_head", "mask_head"} & base.model.keys()
    return bool(head) and not other and "transformer" not in head


def _dense_head(base: Base) -> bool:
    """Logits and a box for each place, as `DenseLabelHook` compares them."""
    head: dict[str, Any] = base.model.get("bbox_head") or {}
    dense = ("ATSSHead", "FCOSHead", "GFLHead", "RTMDetHead", "RTMDetSepBNHead", "RetinaHead")
    return _one_stage(base) and head.get("type") in dense


def _objectness(base: Base) -> bool:
    """An objectness that the head learns, or RTMDet's scores in its place; no masks."""
    head: dict[str, Any] = base.model.get("bbox_head") or {}
    return head.get("type") in ("YOLOXHead", "RTMDetHead", "RTMDetSepBNHead")


def _one_box_head(base: Base) -> bool:
    return _two_stage(base) and isinstance(base.model["roi_head"].get("bbox_head"), dict)


def _pixels(base: Base) -> bool:
    heads = base.model["decode_head"]
    last: dict[str, Any] = heads[-1] if isinstance(heads, (list, tuple)) else heads
    return not {"num_queries", "san_cfg"} & last.keys()  # those match queries to masks


def _queries(base: Base) -> bool:
    """Queries whose classes are sigmoids, matched with boxes by losses that are known."""
    if base.model.get("type") == "HFDetector":
        kinds = ("rt_detr", "rt_detr_v2", "deformable_detr")
        return base.model.get("config", {}).get("model_type") in kinds
    head: dict[str, Any] = base.model.get("bbox_head") or {}
    return head.get("type") in (
        "DINOHead", "DeformableDETRHead", "ConditionalDETRHead", "DABDETRHead",
    )  # fmt: skip


def _one_mask_head(base: Base) -> bool:
    return _one_box_head(base) and isinstance(base.model["roi_head"].get("mask_head"), dict)


# Of a model: (what it is called, whether a base has it).
NEEDS: dict[str, tuple[str, Callable[[Base], bool]]] = {
    "two-stage": ("a two-stage detector with an RPN", _two_stage),
    "one-stage": ("a dense one-stage detector", _one_stage),
    "dense head": ("a RetinaNet, FCOS, ATSS, GFL or RTMDet", _dense_head),
    "objectness": ("a YOLOX or an RTMDet", _objectness),
    "queries": ("a DINO, Deformable DETR or RT-DETR", _queries),
    "one box head": ("a two-stage detector with an RPN and one box head", _one_box_head),
    "masks": ("a detector with masks, such as mask-rcnn-r50", lambda base: base.has_masks),
    "one mask head": ("a two-stage detector with one mask head, like Mask R-CNN", _one_mask_head),
    "pixels": ("a segmentor whose head scores pixels", _pixels),
}
