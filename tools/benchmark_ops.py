"""Time the stand-ins of ssdet.ops, and compiled mmcv beside them where it is there.

    python tools/benchmark_ops.py [--threads 1] [--repeat 5]

Prints the best time of each in milliseconds and, with a compiled mmcv (`make ops`), the ratio.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ssdet.ops

ssdet.ops.install()

import mmcv.ops  # noqa: E402

from ssdet.ops.extension import PortableExtension  # noqa: E402

MODULES = ("nms", "roi_align", "deform_conv", "modulated_deform_conv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="", help="run what has this text in its name")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    modules = [import_module(f"mmcv.ops.{name}") for name in MODULES]
    compiled = modules[0].ext_module
    is_compiled = not isinstance(compiled, PortableExtension)
    print(f"{'':44}{'ssdet.ops':>12}{'compiled':>12}{'ratio':>8}   (ms, {given.threads} threads)")
    for name, action in _actions():
        if given.only not in name:
            continue
        times = []
        for extension in (PortableExtension(), compiled) if is_compiled else (compiled,):
            for module in modules:
                module.ext_module = extension
            times.append(_best(action, given.repeat))
        peer = (
            f"{times[1]:12.1f}{times[0] / times[1]:8.2f}" if is_compiled else f"{'-':>12}{'-':>8}"
        )
        print(f"{name:44}{times[0]:12.1f}{peer}")


def _best(action: Callable[[], Any], repeat: int) -> float:
    action()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def _actions() -> Iterator[tuple[str, Callable[[], Any]]]:
    yield from _suppression()
    yield from _pooling()
    yield from _deformable()


def _suppression() -> Iterator[tuple[str, Callable[[], Any]]]:
    ops, scores = mmcv.ops, torch.rand(2000)
    crowd, spread = _boxes(2000, 100, 400), _boxes(2000, 8, 64)
    # What a region proposal network hands over: many shifted copies around each object.
    copies = _boxes(60, 60, 300).repeat(34, 1)[:2000] + torch.randn(2000, 4) * 8
    classes = torch.randint(0, 80, (2000,))
    yield "nms 2000 proposals around 60 objects, 0.7", lambda: ops.nms(copies, scores, 0.7)
    yield "nms 2000 large boxes, 0.5", lambda: ops.nms(crowd, scores, 0.5)
    yield "nms 2000 small boxes, 0.7 (most are kept)", lambda: ops.nms(spread, scores, 0.7)
    config = {"type": "nms", "iou_threshold": 0.5}
    yield (
        "batched_nms 2000 boxes of 80 classes",
        lambda: ops.batched_nms(crowd, scores, classes, config),
    )
    yield "nms 1000 proposals (one RPN level)", lambda: ops.nms(copies[:1000], scores[:1000], 0.7)
    yield "soft_nms 1000 boxes, linear", lambda: ops.soft_nms(copies[:1000], scores[:1000])


def _pooling() -> Iterator[tuple[str, Callable[[], Any]]]:
    features = torch.randn(1, 256, 100, 152)
    for label, low, high in (("P3 sized", 112, 224), ("all sizes", 16, 600)):
        rois = torch.cat([torch.zeros(512, 1), _boxes(512, low, high)], 1)
        for ratio in (0, 2):
            for pool in ("avg", "max") if ratio else ("avg",):
                yield from _roi_align(
                    f"{label}, {pool}, ratio {ratio}", features, rois, ratio, pool
                )
    masks, boxes = (torch.rand(20, 1, 800, 1216) > 0.5).float(), _boxes(100, 16, 600)
    rois = torch.cat([torch.arange(100)[:, None] % 20, boxes], 1)
    yield (
        "roi_align of 100 mask targets, 28 x 28",
        lambda: mmcv.ops.roi_align(masks, rois, (28, 28), 1.0, 0, "avg", True),
    )


def _roi_align(
    label: str, features: Tensor, rois: Tensor, ratio: int, pool: str
) -> Iterator[tuple[str, Callable[[], Any]]]:
    def forward(given: Tensor = features) -> Tensor:
        return mmcv.ops.roi_align(given, rois, (7, 7), 1 / 8, ratio, pool, True)

    yield f"roi_align {label}, forward", forward
    yield f"roi_align {label}, with backward", lambda: _with_backward(forward, features)


def _deformable() -> Iterator[tuple[str, Callable[[], Any]]]:
    features, weight = torch.randn(1, 128, 50, 76), torch.randn(128, 128, 3, 3)
    offset, mask = torch.randn(1, 18, 50, 76), torch.rand(1, 9, 50, 76)

    def plain(given: Tensor = features) -> Tensor:
        return mmcv.ops.deform_conv2d(given, offset, weight, 1, 1)

    def modulated(given: Tensor = features) -> Tensor:
        return mmcv.ops.modulated_deform_conv2d(given, offset, mask, weight, None, 1, 1)

    for name, action in (("deform_conv2d", plain), ("modulated_deform_conv2d", modulated)):
        yield f"{name} 128x50x76, forward", action
        yield f"{name} 128x50x76, with backward", lambda a=action: _with_backward(a, features)


def _with_backward(action: Callable[[Tensor], Tensor], features: Tensor) -> None:
    action(features.clone().requires_grad_()).sum().backward()


def _boxes(count: int, low: float, high: float) -> Tensor:
    """Boxes with sides between low and high in an image of 800 x 1216."""
    size = torch.tensor([1216.0, 800.0])
    center, sides = torch.rand(count, 2) * size, torch.rand(count, 2) * (high - low) + low
    corners = torch.stack([center - sides / 2, center + sides / 2], 1)
    return corners.clamp(min=0).minimum(size).flatten(1)


if __name__ == "__main__":
    main()
