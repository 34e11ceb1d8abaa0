"""The calls of mmcv.ops by which the stand-ins are compared with the compiled operators.

`tools/record_ops.py` makes them where mmcv is compiled and keeps what came out; the tests make them
again with the stand-ins. Ties, empty inputs and borders are in them on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Case(NamedTuple):
    """A call `mmcv.ops.<op>(*tensors, *settings)` and the tensors whose gradients are compared."""

    op: str
    name: str
    tensors: list[Tensor | None]
    settings: list[Any]
    learned: tuple[int, ...] = ()


GPU_ONLY = ("focal_loss", "roi_pool", "masked_conv")  # modules of mmcv.ops without a CPU kernel
MODULES = (
    *("bbox", "nms", "roi_align", "deform_conv", "modulated_deform_conv"),
    *("multi_scale_deform_attn", *GPU_ONLY),
)


@contextmanager
def extension(module: Any, names: tuple[str, ...] = MODULES) -> Iterator[None]:
    """Let modules of mmcv.ops call another module than the `mmcv._ext` they found."""
    modules = [import_module(f"mmcv.ops.{name}") for name in names]
    before = [each.ext_module for each in modules]
    for each in modules:
        each.ext_module = module
    try:
        yield
    finally:
        for each, old in zip(modules, before, strict=True):
            each.ext_module = old


def run(case: Case, device: str = "cpu") -> list[Tensor]:
    """All outputs of the call, then the gradients of the learned tensors."""
    import mmcv.ops

    tensors = [
        tensor if tensor is None else tensor.to(device, copy=True) for tensor in case.tensors
    ]
    for number in case.learned:
        tensors[number].requires_grad_()
    output = getattr(mmcv.ops, case.op)(*tensors, *case.settings)
    outputs = [output] if isinstance(output, Tensor) else list(output)
    if case.op == "nms_match" and outputs:  # many small groups: their members, then their sizes
        outputs = [torch.cat(outputs), torch.tensor([len(group) for group in outputs])]
    if case.learned:
        # A cotangent that is different at each place and needs no storage.
        cotangent = torch.arange(outputs[0].numel()).view(outputs[0].shape).add(1).sin()
        inputs = [tensors[number] for number in case.learned]
        outputs += torch.autograd.grad(outputs[0], inputs, cotangent.to(outputs[0]))
    return [value.detach().cpu() for value in outputs]


def differences(expected: list[Tensor], found: list[Tensor]) -> Iterator[str]:
    """What differs by more than 1e-5 (indices: at all), in words."""
    if len(expected) != len(found):
        yield f"{len(found)} outputs instead of {len(expected)}"
    for number, (want, have) in enumerate(zip(expected, found, strict=False)):
        if want.shape != have.shape or want.dtype != have.dtype:
            yield f"output {number}: {have.dtype} {list(have.shape)}, not {list(want.shape)}"
        elif not torch.allclose(have, want, rtol=1e-5, atol=1e-5, equal_nan=True):
            worst = (have.double() - want.double()).abs().max()
            yield f"output {number}: differs by up to {worst:.3g}"


def build(seed: int = 0, ties: int = 16) -> list[Case]:
    """All cases with inputs drawn from the seed, and so many boxes where scores are tied.

    The compiled operators sort with `torch.sort`, which keeps the order of up to 16 equal values;
    for more it depends on the release of torch, so that no record of it would last.
    """
    draw = torch.Generator().manual_seed(seed)
    cases = [*_overlaps(draw), *_nms(draw, ties), *_batched(draw, ties), *_soft(draw)]
    for maker in (_align, _pool, _focal, _plain, _modulated, _masked):
        cases += maker(draw)
    return [*cases, *_match(draw, ties)]


def build_large(seed: int = 0) -> Iterator[Case]:
    """Calls of the size that a detector makes, too large to be kept as records."""
    draw = torch.Generator().manual_seed(seed)
    some, scores = boxes(draw, 2000, 1200.0), torch.rand(2000, generator=draw)
    classes = torch.randint(0, 80, (2000,), generator=draw)
    yield Case("nms", "large", [some, scores], [0.7])
    for config in ({"type": "nms", "iou_threshold": 0.5}, {"type": "soft_nms"}):
        yield Case("batched_nms", f"large-{config['type']}", [some, scores, classes], [config])
    features = torch.randn(2, 8, 100, 152, generator=draw)
    rois = torch.cat([torch.randint(0, 2, (200, 1), generator=draw), some[:200]], 1)
    for ratio in (0, 2):
        for pool in ("avg", "max"):
            settings = [7, 0.125, ratio, pool, True]
            yield Case("roi_align", f"large-{pool}-{ratio}", [features, rois], settings, (0,))
    masks = (torch.rand(2, 1, 800, 1216, generator=draw) > 0.5).float()
    yield Case("roi_align", "masks", [masks, rois[:20]], [28, 1.0, 0, "avg", True])
    offset = torch.randn(1, 18, 40, 60, generator=draw) * 4
    weight = torch.randn(8, 8, 3, 3, generator=draw) / 8
    tensors = [features[:1, :, :40, :60].contiguous(), offset, weight]
    yield Case("deform_conv2d", "large", tensors, [1, 1], (0, 1, 2))


def boxes(draw: torch.Generator, count: int, size: float = 60.0) -> Tensor:
    """Boxes of many shapes, so dense that most overlap others."""
    corner = torch.rand(count, 2, generator=draw) * size
    return torch.cat([corner, corner + torch.rand(count, 2, generator=draw) * size / 2 + 1], 1)


def tied(draw: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Boxes on a coarse lattice with coarse scores: equal boxes, scores and overlaps abound."""
    corner = torch.randint(0, 4, (count, 2), generator=draw).float() * 5
    boxes_ = torch.cat([corner, corner + torch.randint(0, 4, (count, 2), generator=draw) * 5], 1)
    return boxes_, torch.randint(1, 5, (count,), generator=draw).float() / 4


def _overlaps(draw: torch.Generator) -> Iterator[Case]:
    first, second, lattice = boxes(draw, 12), boxes(draw, 12), tied(draw, 12)[0]
    for mode in ("iou", "iof"):
        for aligned in (False, True):
            for offset in (0, 1):
                name = f"{mode}-{'aligned' if aligned else 'all'}-{offset}"
                yield Case("bbox_overlaps", name, [first, second], [mode, aligned, offset])
    yield Case("bbox_overlaps", "no-area", [lattice, lattice], ["iou", False, 0])
    yield Case("bbox_overlaps", "empty", [first[:0], second], ["iou", False, 0])


def _nms(draw: torch.Generator, ties: int) -> Iterator[Case]:
    some, scores = boxes(draw, 200), torch.rand(200, generator=draw)
    for offset in (0, 1):
        for settings in ([0.3, offset], [0.7, offset, 0.4, 20], [0.5, offset, 0.0, 7]):
            yield Case("nms", f"random-{settings}", [some, scores], settings)
        for threshold in (0.25, 0.5, 1 / 3):
            for number in range(3):
                name = f"ties-{threshold:.2f}-{offset}-{number}"
                yield Case("nms", name, [*tied(draw, ties)], [threshold, offset])
    yield Case("nms", "all-suppressed", [some[:1].repeat(9, 1), scores[:9]], [0.5])
    yield Case("nms", "none-above-score", [some[:9], scores[:9]], [0.5, 0, 2.0])
    yield Case("nms", "empty", [some[:0], scores[:0]], [0.5])


def _batched(draw: torch.Generator, ties: int) -> Iterator[Case]:
    some, scores = boxes(draw, 200), torch.rand(200, generator=draw)
    classes = torch.randint(0, 4, (200,), generator=draw)
    given: list[Tensor | None] = [some, scores, classes]
    configs: dict[str, dict[str, Any] | None] = {
        "plain": {"type": "nms", "iou_threshold": 0.5},
        "max": {"type": "nms", "iou_threshold": 0.6, "max_num": 12},
        "agnostic": {"type": "nms", "iou_threshold": 0.5, "class_agnostic": True},
        "split": {"type": "nms", "iou_threshold": 0.5, "split_thr": 50},
        "split-max": {"type": "nms", "iou_threshold": 0.5, "split_thr": 50, "max_num": 9},
        "soft": {"type": "soft_nms", "iou_threshold": 0.5, "min_score": 0.05},
        "soft-split": {"type": "soft_nms", "iou_threshold": 0.5, "split_thr": 50},
        "none": None,
    }
    for name, config in configs.items():
        yield Case("batched_nms", name, given, [config])
    for class_agnostic in (False, True):
        lattice = [*tied(draw, ties), torch.arange(ties) % 3]
        settings = [configs["plain"], class_agnostic]
        yield Case("batched_nms", f"ties-{class_agnostic}", lattice, settings)


def _soft(draw: torch.Generator) -> Iterator[Case]:
    some, scores = boxes(draw, 80), torch.rand(80, generator=draw)
    for method in ("naive", "linear", "gaussian"):
        for offset in (0, 1):
            settings = [0.3, 0.5, 0.05, method, offset]
            yield Case("soft_nms", f"random-{method}-{offset}", [some, scores], settings)
            yield Case("soft_nms", f"ties-{method}-{offset}", [*tied(draw, 80)], settings)
        yield Case("soft_nms", f"keeps-{method}", [some, scores], [0.5, 0.9, 1e-6, method, 0])
    yield Case("soft_nms", "empty", [some[:0], scores[:0]], [])


def _match(draw: torch.Generator, ties: int) -> Iterator[Case]:
    some = torch.cat([boxes(draw, 100), torch.rand(100, 1, generator=draw)], 1)
    lattice, scores = tied(draw, ties)
    yield Case("nms_match", "random", [some], [0.4])
    yield Case("nms_match", "ties", [torch.cat([lattice, scores[:, None]], 1)], [0.5])
    yield Case("nms_match", "empty", [some[:0]], [0.4])


def _align(draw: torch.Generator) -> Iterator[Case]:
    features = torch.randn(2, 3, 11, 14, generator=draw)
    rois = torch.cat([torch.randint(0, 2, (9, 1), generator=draw), boxes(draw, 9, 50.0)], 1)
    rois[1, 1:] = torch.tensor([-9.0, -7.0, 70.0, 60.0])  # beyond all borders
    rois[2, 1:] = torch.tensor([8.0, 8.0, 8.0, 8.0])  # without extent
    rois[3, 1:] = torch.tensor([90.0, 90.0, 99.0, 99.0])  # beside the image
    rois[4, 1:] = torch.tensor([4.0, 4.0, 32.0, 32.0])  # samples on pixel centers and borders
    for pool in ("avg", "max"):
        for aligned in (True, False):
            for ratio in (0, 1, 2, 3):
                settings = [(3, 4), 0.25, ratio, pool, aligned]
                name = f"{pool}-{ratio}-{'aligned' if aligned else 'legacy'}"
                yield Case("roi_align", name, [features, rois], settings, (0,))
        flat = torch.randint(-1, 2, features.shape, generator=draw).float()
        yield Case("roi_align", f"{pool}-ties", [flat, rois], [4, 0.25, 2, pool, True], (0,))
        yield Case("roi_align", f"{pool}-empty", [features, rois[:0]], [2, 0.25, 0, pool], (0,))


def _pool(draw: torch.Generator) -> Iterator[Case]:
    features = torch.randn(2, 3, 11, 14, generator=draw)
    rois = torch.cat([torch.randint(0, 2, (8, 1), generator=draw), boxes(draw, 8, 50.0)], 1)
    rois[1, 1:] = torch.tensor([-9.0, -7.0, 70.0, 60.0])
    rois[2, 1:] = torch.tensor([8.0, 8.0, 8.0, 8.0])
    rois[3, 1:] = torch.tensor([90.0, 90.0, 99.0, 99.0])
    rois[4, 1:] = torch.tensor([20.0, 20.0, 10.0, 10.0])  # inverted
    flat = torch.randint(-1, 2, features.shape, generator=draw).float()
    for name, given in {"random": features, "ties": flat}.items():
        yield Case("roi_pool", name, [given, rois], [(3, 4), 0.25], (0,))
    yield Case("roi_pool", "one-bin", [features, rois], [1, 0.5], (0,))


def _focal(draw: torch.Generator) -> Iterator[Case]:
    logits = torch.randn(20, 6, generator=draw) * 6
    logits[:2, 0] = torch.tensor([40.0, -120.0])  # where a probability is exactly 1 or 0
    target = torch.randint(0, 6, (20,), generator=draw)
    background = target.where(torch.rand(20, generator=draw) > 0.4, 6)
    weight = torch.rand(6, generator=draw)
    for reduction in ("none", "mean", "sum"):
        for op, labels in (("sigmoid_focal_loss", background), ("softmax_focal_loss", target)):
            # mmcv cannot differentiate the softmax loss of single boxes: its shapes do not match.
            learned = () if (op, reduction) == ("softmax_focal_loss", "none") else (0,)
            yield Case(op, reduction, [logits, labels], [2.0, 0.25, None, reduction], learned)
    for op in ("sigmoid_focal_loss", "softmax_focal_loss"):
        for gamma, alpha in ((2.0, 0.25), (1.5, 0.6)):
            settings = [gamma, alpha, weight, "sum"]
            yield Case(op, f"weights-{gamma}", [logits, target], settings, (0,))


_SHAPES = {  # channels, outputs, kernel, stride, padding, dilation, groups, deform groups
    "plain": (4, 6, (3, 3), (1, 1), (1, 1), (1, 1), 1, 1),
    "strided": (4, 4, (3, 2), (2, 1), (0, 2), (1, 2), 1, 2),
    "grouped": (8, 4, (3, 3), (1, 2), (2, 1), (2, 1), 2, 2),
    "cross-grouped": (8, 4, (2, 2), (1, 1), (1, 1), (1, 1), 4, 2),
    "point": (4, 4, (1, 1), (1, 1), (0, 0), (1, 1), 4, 4),
}


def _deformable(draw: torch.Generator, shape: tuple[Any, ...]) -> Iterator[Tensor]:
    channels, outputs, kernel, stride, padding, dilation, groups, deform_groups = shape
    size = (7, 6)
    out = [
        (size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i in (0, 1)
    ]
    points = deform_groups * kernel[0] * kernel[1]
    yield torch.randn(2, channels, *size, generator=draw)
    offset = torch.randn(2, 2 * points, *out, generator=draw) * 2
    # Whole and half pixels put samples exactly on pixels, on the border and one pixel outside.
    rough = torch.rand(offset.shape, generator=draw) < 0.3
    yield offset.where(~rough, (offset * 2).round() / 2)
    yield torch.rand(2, points, *out, generator=draw)
    yield torch.randn(outputs, channels // groups, *kernel, generator=draw)
    yield torch.randn(outputs, generator=draw)


def _plain(draw: torch.Generator) -> Iterator[Case]:
    for name, shape in _SHAPES.items():
        features, offset, _, weight, _ = _deformable(draw, shape)
        tensors = [features, offset, weight]
        yield Case("deform_conv2d", name, tensors, [*shape[3:], False, 1], (0, 1, 2))
    yield Case("deform_conv2d", "whole-batch", tensors, [*shape[3:], False, 2], (0, 1, 2))


def _modulated(draw: torch.Generator) -> Iterator[Case]:
    for name, shape in _SHAPES.items():
        features, offset, mask, weight, bias = _deformable(draw, shape)
        tensors, settings = [features, offset, mask, weight, bias], [*shape[3:]]
        yield Case("modulated_deform_conv2d", name, tensors, settings, (0, 1, 2, 3, 4))
    tensors = [*tensors[:4], None]
    yield Case("modulated_deform_conv2d", "no-bias", tensors, settings, (0, 1, 2, 3))


def _masked(draw: torch.Generator) -> Iterator[Case]:
    features, bias = torch.randn(1, 3, 7, 9, generator=draw), torch.randn(4, generator=draw)
    for kernel, padding in ((3, 1), (1, 0), ((3, 5), (1, 2))):
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        weight = torch.randn(4, 3, *size, generator=draw)
        for name, share in (("some", 0.4), ("none", 0.0)):
            mask = (torch.rand(1, 7, 9, generator=draw) < share).float()
            tensors = [features, mask, weight, bias]
            yield Case("masked_conv2d", f"{name}-{size}", tensors, [padding])
