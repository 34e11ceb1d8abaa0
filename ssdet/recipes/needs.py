"""What a method needs of a model, seen in the model's config."""

from collections.abc import Callable
from typing import Any

from ..exits import UsageError
from .bases import Base
from .methods import METHODS


def _two_stage(base: Base) -> bool:
    """Proposals of an RPN, judged by RoI heads; Sparse R-CNN has learned ones."""
    rpn: dict[str, Any] = base.model.get("rpn_head") or {}
    return "roi_head" in base.model and rpn.get("type", "EmbeddingRPNHead") != "EmbeddingRPNHead"


def _one_stage(base: Base) -> bool:
    """Dense predictions that NMS merges: not those of queries, and no masks."""
    head: dict[str, Any] = base.model.get("bbox_head") or {}
    other = {"decoder", "encoder", "roi_head", "mask_head"} & base.model.keys()
    return bool(head) and not other and "transformer" not in head


def _one_box_head(base: Base) -> bool:
    return _two_stage(base) and isinstance(base.model["roi_head"].get("bbox_head"), dict)


def _pixels(base: Base) -> bool:
    heads = base.model["decode_head"]
    last: dict[str, Any] = heads[-1] if isinstance(heads, (list, tuple)) else heads
    return not {"num_queries", "san_cfg"} & last.keys()  # those match queries to masks


# Of a model: (what it is called, whether a base has it).
NEEDS: dict[str, tuple[str, Callable[[Base], bool]]] = {
    "two-stage": ("a two-stage detector with an RPN", _two_stage),
    "one-stage": ("a dense one-stage detector", _one_stage),
    "one box head": ("a two-stage detector with an RPN and one box head", _one_box_head),
    "masks": ("a detector with masks, such as mask-rcnn-r50", lambda base: base.has_masks),
    "pixels": ("a segmentor whose head scores pixels", _pixels),
}


# What "auto" is: the first one that suits the model. docs/choosing.md says why.
AUTO = {"detection": ("copy-paste", "mixpl"), "segmentation": ("classmix",)}


def choose_method(name: str, base: Base) -> str:
    """The name of a method, with "auto" made one that suits the model of the base."""
    if name != "auto":
        return name
    return next(method for method in AUTO[base.task] if suits(method, base))


def suits(method: str, base: Base) -> bool:
    """Whether the model of the base has what the method needs."""
    needs = METHODS[method].needs
    return not needs or NEEDS[needs][1](base)


def check_needs(method: str, base: Base) -> None:
    """Refuse a model that the method cannot work with, and name a method that can."""
    if not suits(method, base):
        instead = next(name for name in METHODS[method].instead if suits(name, base))
        raise UsageError(
            f"--method {method!r}: needs {NEEDS[METHODS[method].needs][0]}, and the model of "
            f"{base.name!r} is none; take --method {instead} with it"
        )
