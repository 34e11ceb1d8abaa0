"""How well a box is placed, when the true box is unknown: do several predictions agree?"""

from __future__ import annotations

import torch
from torch import Tensor


def jitter_boxes(boxes: Tensor, times: int, scale: float) -> Tensor:
    """Copies (T, N, 4) of boxes (N, 4), each side moved by a normal draw.

    Its deviation is `scale` of the box's width or height (of a pixel at least).
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).repeat(1, 2)
    draws = torch.randn(times, *boxes.shape, device=boxes.device)
    moved = boxes + draws * (sides * scale)
    first, second = moved[..., :2], moved[..., 2:]
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=-1)


def relative_spread(boxes: Tensor) -> Tensor:
    """Mean deviation of the coordinates of T predictions (T, N, 4), in sides of the mean box: (N,).

    Soft Teacher's unreliability: the deviation (of the sample, T - 1) of each coordinate is divided
    by the mean box's width or height (of a pixel at least), and the four are averaged.
    """
    mean = boxes.mean(0)
    sides = (mean[:, 2:] - mean[:, :2]).clamp(min=1).repeat(1, 2)
    # Not `std`, which warns where there is no box at all.
    variance = (boxes - mean).square().sum(0) / (len(boxes) - 1)
    return (variance.sqrt() / sides).mean(-1)


def merged_spread(
    boxes: Tensor, candidates: Tensor, scores: Tensor, same_class: Tensor, min_iou: float
) -> Tensor:
    """The same for boxes (N, 4) and what NMS merged into each of them.

    These are the candidates (M, 4) of its class (`same_class` is (N, M)) with at least this IoU.
    They count with their scores (M,): deviation^2 = sum s (x - mean)^2 / sum s. For a box with
    fewer than two of them nothing agrees: infinite.
    """
    merged = (iou(boxes, candidates) >= min_iou) & same_class
    weights = merged * scores
    total = weights.sum(1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
    mean = weights @ candidates / total
    distances = (candidates[None] - mean[:, None]).square()
    deviation = ((weights[..., None] * distances).sum(1) / total).sqrt()
    sides = (mean[:, 2:] - mean[:, :2]).clamp(min=1).repeat(1, 2)
    spread = (deviation / sides).mean(-1)
    return torch.where(merged.sum(1) >= 2, spread, float("inf"))


def stage_agreement(boxes: Tensor) -> Tensor:
    """Mean IoU of the boxes (S, N, 4) of each stage with those of the next one: (N,) in [0, 1]."""
    before, after = boxes[:-1], boxes[1:]
    width, height = _overlap(before, after).unbind(-1)
    shared = width * height
    union = _area(before) + _area(after) - shared
    return (shared / union.clamp(min=1e-6)).mean(0)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU (N, M) of boxes (N, 4) and others (M, 4)."""
    shared = _overlap(boxes[:, None], others[None]).prod(-1)
    union = _area(boxes)[:, None] + _area(others)[None] - shared
    return shared / union.clamp(min=1e-6)


def _overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Width and height of what boxes share."""
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    return (high - low).clamp(min=0)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)
