"""Sigmoid and softmax focal loss (Lin et al. 2017, equation 5) and their gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from .sampling import full_precision

_TINY = torch.finfo(torch.float32).tiny


def sigmoid_focal_loss_forward(
    logits: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """Write the loss of each (box, class); a target outside of the classes is background."""
    p, q, positive = _binary(logits, target)
    loss_positive = q.pow(gamma) * _log(p) * -alpha
    loss_negative = p.pow(gamma) * _log(q) * (alpha - 1)
    output.copy_(_weighted(loss_positive.where(positive, loss_negative), target, weight))


def sigmoid_focal_loss_backward(
    logits: Tensor, target: Tensor, weight: Tensor, grad: Tensor, *, gamma: float, alpha: float
) -> None:
    """Write the derivative of each loss with respect to its logit."""
    p, q, positive = _binary(logits, target)
    slope_positive = q.pow(gamma) * (q - gamma * p * _log(p)) * -alpha
    slope_negative = p.pow(gamma) * (gamma * q * _log(q) - p) * (alpha - 1)
    grad.copy_(_weighted(slope_positive.where(positive, slope_negative), target, weight))


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """Write the loss of each box; a negative target has none."""
    p = _of_target(softmax, target)
    loss = (1 - p).pow(gamma) * _log(p) * -alpha
    output.copy_(_weighted(loss.where(target >= 0, 0), target, weight))


def softmax_focal_loss_backward(
    softmax: Tensor, target: Tensor, weight: Tensor, buffer: Tensor, grad: Tensor, **how: float
) -> None:
    """Write the derivative with respect to the logits; `buffer` gets dL/dp * p of each box."""
    gamma, alpha = how["gamma"], how["alpha"]
    p = _of_target(softmax, target)
    slope = gamma * (1 - p).pow(gamma - 1) * p * _log(p) - (1 - p).pow(gamma)
    slope = _weighted((slope * alpha).where(target >= 0, 0), target, weight)
    buffer.copy_(slope)
    classes = torch.arange(softmax.shape[1], device=softmax.device)
    hit = (target[:, None] == classes).to(slope.dtype)
    grad.copy_((slope[:, None] * (hit - full_precision(softmax))).where(target[:, None] >= 0, 0))


def _binary(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # Spelled out: torch.sigmoid rounds differently near 1, where log(1 - p) magnifies it.
    p = 1 / (1 + (-full_precision(logits)).exp())
    classes = torch.arange(logits.shape[1], device=logits.device)
    return p, 1 - p, target[:, None] == classes


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=_TINY).log()


def _of_target(softmax: Tensor, target: Tensor) -> Tensor:
    return full_precision(softmax).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _weighted(values: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Times the weight of the target class; background has none of its own and counts once."""
    if not weight.numel():
        return values
    known = (target >= 0) & (target < len(weight))
    factor = full_precision(weight)[target.clamp(0, len(weight) - 1)].where(known, 1)
    return values * factor.view(-1, *[1] * (values.dim() - 1))
