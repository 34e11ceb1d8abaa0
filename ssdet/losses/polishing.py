"""Boxes that are jittered on purpose, and what a polishing network learns from them.

"Mind the Gap: Polishing Pseudo Labels" (AAAI 2023). Boxes are (x1, y1, x2, y2) in pixels.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Corners of the context of a box, in units of the fraction: the box, four diagonal shifts, and
# two expansions of every side.
_CONTEXT = (
    (0, 0, 0, 0),
    (-1, -1, -1, -1),
    (1, -1, 1, -1),
    (-1, 1, -1, 1),
    (1, 1, 1, 1),
    (-1, -1, 1, 1),
    (-2, -2, 2, 2),
)
CONTEXTS = len(_CONTEXT)
# An enlargement beyond this factor is a mistake of an untrained network (as in Faster R-CNN).
_MAX_LOG = math.log(1000 / 16)


def context_boxes(boxes: Tensor, fraction: float = 0.06) -> Tensor:
    """The box and six more around it, moved by `fraction` of its width and height: (N, 7, 4)."""
    moves = boxes.new_tensor(_CONTEXT) * fraction
    return boxes[:, None] + moves * _sides(boxes).repeat(1, 2)[:, None]


def jitter_boxes(
    boxes: Tensor, times: int, sigma: float, generator: torch.Generator | None = None
) -> Tensor:
    """`times` copies of each box, each coordinate moved by N(0, (sigma * side)^2).

    Copies that turned inside out are left out, so there may be fewer than times * N.
    """
    spread = sigma * _sides(boxes).repeat(1, 2)
    noise = torch.randn(times, *boxes.shape, generator=generator, device=boxes.device)
    moved = (boxes + noise * spread).flatten(0, 1)
    return moved[(_sides(moved) > 0).all(-1)]


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of all pairs: (N, M)."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    total = _sides(first).prod(-1)[:, None] + _sides(second).prod(-1)[None] - overlap
    return overlap / total.clamp(min=1e-9)


def best_match(boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """IoU with, and number of, the true box that each box overlaps most; `truth` is not empty.

    This is not always the true box that a jittered one was made from.
    """
    return box_iou(boxes, truth).max(1)


def classes_of(boxes: Tensor, truth: Tensor, labels: Tensor, background: int, iou: float) -> Tensor:
    """The class of the best true box where the IoU is at least `iou`, else background: (N,)."""
    if len(truth) == 0:
        return torch.full((len(boxes),), background, device=boxes.device)
    overlap, number = best_match(boxes, truth)
    return labels[number].where(overlap >= iou, background)


def decode_boxes(boxes: Tensor, deltas: Tensor, shape: Sequence[int] | None = None) -> Tensor:
    """Boxes moved by (dx w, dy h) and scaled by (exp dw, exp dh); cut at (height, width)."""
    deltas, sides = deltas.to(boxes.dtype), _sides(boxes)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2 + deltas[:, :2] * sides
    half = sides * deltas[:, 2:].clamp(-_MAX_LOG, _MAX_LOG).exp() / 2
    moved = torch.cat([centers - half, centers + half], dim=-1)
    if shape is None:
        return moved
    limit = boxes.new_tensor([shape[1], shape[0]] * 2)
    return torch.minimum(moved.clamp(min=0), limit)


def giou_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """1 - GIoU of each box with its true box (Rezatofighi et al. 2019): (N,)."""
    low, high = torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    union = _sides(boxes).clamp(min=0).prod(-1) + _sides(truth).prod(-1) - overlap
    low, high = torch.minimum(boxes[:, :2], truth[:, :2]), torch.maximum(boxes[:, 2:], truth[:, 2:])
    hull = (high - low).prod(-1).clamp(min=1e-6)
    return 1 - overlap / union.clamp(min=1e-6) + (hull - union) / hull


def polishing_losses(
    boxes: Tensor, deltas: Tensor, truth: Tensor, logits: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean GIoU loss of the polished boxes and mean cross entropy of the classes, in float32.

    Without a box, or without a label, a loss is zero and keeps its graph.
    """
    box = giou_loss(decode_boxes(boxes.float(), deltas.float()), truth.float()).sum()
    box = box / max(len(boxes), 1) + deltas.float().sum() * 0.0
    if len(labels) == 0:
        return box, logits.float().sum() * 0.0
    return box, F.cross_entropy(logits.float(), labels)


def _sides(boxes: Tensor) -> Tensor:
    return boxes[..., 2:] - boxes[..., :2]
