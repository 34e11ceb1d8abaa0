"""Transforms in words: what a view does to an image, with every magnitude."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mmdet.datasets import transforms
from mmdet.datasets.transforms.geometric import GeomTransform

from .table import show

SILENT = (
    *("LoadImageFromFile", "LoadAnnotations", "LoadEmptyAnnotations", "FilterAnnotations"),
    *("LoadMask", "LoadImagePair", "PackDetInputs", "PackSegInputs"),
    *("LoadChangeEvents", "PackExternalLabels"),
)


def describe(steps: Iterable[Any]) -> str:
    """One text for a list of transforms; loading and packing are left out."""
    return "; ".join(filter(None, map(_described, steps)))


def _described(step: Any) -> str:
    name = type(step).__name__
    if name in SILENT:
        return ""
    return WORDS[name](step) if name in WORDS else repr(step)


def _size(sides: Any) -> str:
    return " x ".join(map(str, sides))


def _short_side(smallest: Any, long: int) -> str:
    return f"short side {smallest}, long side at most {long}"


def _random_resize(step: Any) -> str:
    if step.ratio_range is not None:
        low, high = step.ratio_range
        return f"resize by {low:g} to {high:g} of {_size(step.scale)}"
    (long, low), (_, high) = (sorted(scale, reverse=True) for scale in step.scale)
    return _short_side(f"{low} to {high}", long)


def _choice_resize(step: Any) -> str:
    sides = sorted(min(scale) for scale in step.scales)
    (long,) = {max(scale) for scale in step.scales}
    steps = {b - a for a, b in zip(sides, sides[1:], strict=False)}
    every = f" by {steps.pop()}" if len(steps) == 1 else str(sides)
    return _short_side(f"{sides[0]} to {sides[-1]}{every}", long)


def _resize(step: Any) -> str:
    if step.scale is None:
        return f"resize by {step.scale_factor[0]:g}"
    if not step.keep_ratio:
        return f"resize to {_size(step.scale)}"
    long, short = sorted(step.scale, reverse=True)
    return _short_side(short, long)


def _erase(step: Any) -> str:
    fewest, most = step.n_patches
    return f"erase {fewest} to {most} patches, sides up to {step.ratio[1]:g}"


def _rand_augment(step: Any) -> str:
    kind = "movement" if _moves(step) else "color"
    return f"{step.aug_num} {kind}" + ("s" if step.aug_num > 1 else "")


def operations(steps: Iterable[Any], *, movements: bool) -> str:
    """The colors or the movements of the RandAugment among the transforms, with their strengths."""
    for step in steps:
        if type(step).__name__ == "RandAugment" and _moves(step) == movements:
            return ", ".join(_operation(part) for (part,) in step.aug_space)
        inner = operations(getattr(step, "transforms", ()), movements=movements)
        if inner:
            return inner
    return ""


def _moves(step: Any) -> bool:
    """Whether the operations of a RandAugment move pixels; else they change colors."""
    kinds = [getattr(transforms, part["type"]) for (part,) in step.aug_space]
    return any(issubclass(kind, GeomTransform) for kind in kinds)


def _operation(part: Any) -> str:
    """An operation with its strengths, which are drawn evenly."""
    made = getattr(transforms, part["type"])(**{k: v for k, v in part.items() if k != "type"})
    name = type(made).__name__.lower()
    if name == "colortransform":  # the base class changes nothing
        return "nothing"
    if name in ("autocontrast", "equalize"):
        return name
    return f"{name} {made.min_mag:g} to {made.max_mag:g}"


def _choice(step: Any) -> str:
    shares = step.prob or [None] * len(step.transforms)
    parts = zip(shares, map(_described, step.transforms), strict=True)
    return "one of: " + " / ".join(f"{show(s)}: {text}" if s else text for s, text in parts)


def _rotate(step: Any) -> str:
    turn = "by" if step.level == 10 else "by up to"
    return f"turn {turn} {step.max_mag:g} degrees to one side ({step.prob:g})"


def _all(step: Any) -> str:
    return " / ".join(map(_described, step.transforms))


WORDS: dict[str, Callable[[Any], str]] = {
    "RandomResize": _random_resize,
    "RandomChoiceResize": _choice_resize,
    "Resize": _resize,
    "RandomChoice": _choice,
    "Rotate": _rotate,
    "Compose": lambda step: describe(step.transforms) or "nothing",
    "PerImage": lambda step: f"each image: {describe(step.steps.transforms)}",
    "RandomFlip": lambda step: f"flip {show(step.prob)}",
    "RandAugment": _rand_augment,
    "RandomErasing": _erase,
    "NoisePatch": lambda step: (
        f"noise {step.prob:g} (area {step.area[0]:g} to {step.area[1]:g}, "
        f"aspect {step.aspect[0]:g} to {step.aspect[1]:g})"
    ),
    "CutOut": lambda step: (
        f"cut out {step.n_holes[0]} to {step.n_holes[1]} regions of up to "
        f"{_size(max(step.candidates))}"
    ),
    "RandomOrder": lambda step: f"in random order: {_all(step)}",
    "RandomApply": lambda step: f"with probability {step.prob:g}: {_all(step)}",
    "RandomCrop": lambda step: f"crop {_size(step.crop_size)}",
    "YOLOXHSVRandomAug": lambda step: (
        f"hue, saturation and value by up to {step.hue_delta}, {step.saturation_delta}, "
        f"{step.value_delta}"
    ),
    "PhotoMetricDistortion": lambda step: "photometric distortion",
    "RandomScale": lambda step: (
        f"resize by {step.ratio_range[0]:g} to {step.ratio_range[1]:g} of its own size"
    ),
    "StrongPhotometric": lambda step: (
        f"jitter {step.jitter_prob:g} ({step.brightness:g}, {step.contrast:g}, "
        f"{step.saturation:g}, {step.hue:g}); gray {step.gray_prob:g}; blur {step.blur_prob:g} "
        f"({step.sigma[0]:g} to {step.sigma[1]:g})"
    ),
}
