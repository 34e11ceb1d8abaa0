"""RoIPool: the maximum over whole pixels of each bin."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .sampling import full_precision, pixel_table

_VALUES = 1 << 24  # values held at a time; bounds the memory


class _Bins(NamedTuple):
    first: Tensor  # (N, bins) first pixel of each bin
    beyond: Tensor  # (N, bins) the pixel after its last

    def of(self, boxes: Tensor) -> _Bins:
        """The bins of some of the boxes."""
        return _Bins(self.first[boxes], self.beyond[boxes])


def roi_pool_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write the maxima and the pixels they come from; an empty bin gives 0 and pixel -1.

    A box without extent is left out, with output and pixel 0, as the compiled operator does.
    """
    if not output.numel():
        return
    table, size = pixel_table(full_precision(features)), features.shape
    corners = full_precision(rois)[:, 1:].clone()
    corners[:, 2:] += 1
    corners *= spatial_scale
    extent = corners[:, 2:] - corners[:, :2]
    usable = (extent > 0).all(1).nonzero()[:, 0]
    if not len(usable):
        return
    x = _bins(corners[usable, 0], extent[usable, 0], pooled_width, size[3])
    y = _bins(corners[usable, 1], extent[usable, 1], pooled_height, size[2])
    reach = int((y.beyond - y.first).max()) * int((x.beyond - x.first).max())
    step = max(_VALUES // max(reach * output[0].numel(), 1), 1)
    for at in torch.arange(len(usable), device=rois.device).split(step):
        batch = rois[usable[at], 0].long()
        best, pixel = _maximum(table, batch, y.of(at), x.of(at), size)
        output[usable[at]] = best.permute(0, 3, 1, 2).to(output.dtype)
        argmax[usable[at]] = pixel.permute(0, 3, 1, 2).to(argmax.dtype)


def roi_pool_backward(
    grad: Tensor, rois: Tensor, argmax: Tensor, grad_input: Tensor, **how: float
) -> None:
    """Give the gradient of each bin to the pixel of its maximum."""
    if not grad.numel():
        return
    channels = grad_input.shape[1]
    planes = grad_input.shape[2] * grad_input.shape[3]
    total = torch.zeros_like(full_precision(grad_input)).flatten()
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)
    pixel = plane[:, :, None, None] * planes + argmax.clamp(min=0)
    total.index_add_(0, pixel.flatten(), grad.to(total.dtype).where(argmax >= 0, 0).flatten())
    grad_input.copy_(total.view_as(grad_input))


def _bins(start: Tensor, extent: Tensor, count: int, size: int) -> _Bins:
    step = (extent / count)[:, None]
    number = torch.arange(count + 1, device=start.device)
    edges = number * step + start[:, None]
    first = edges[:, :-1].float().floor().clamp(0, size)
    beyond = edges[:, 1:].float().ceil().clamp(0, size)
    return _Bins(first.long(), beyond.long())


def _maximum(
    table: Tensor, batch: Tensor, y: _Bins, x: _Bins, size: torch.Size
) -> tuple[Tensor, Tensor]:
    """Maxima (N, height, width, C) and their pixels, the first of equal ones."""
    row, real_y = _pixels(y)
    column, real_x = _pixels(x)
    pixel = row[:, :, None, :, None] * size[3] + column[:, None, :, None, :]
    real = (real_y[:, :, None, :, None] & real_x[:, None, :, None, :]).flatten(3)[..., None]
    index = (batch[:, None, None, None, None] * size[2] * size[3] + pixel).flatten(3)
    if not index.shape[3]:
        best = table.new_zeros(*index.shape[:3], size[1])
        return best, torch.full_like(best, -1)
    best, at = table[index.where(real[..., 0], 0)].where(real, -torch.inf).max(3)
    found = real.any(3)
    return best.where(found, 0), pixel.flatten(3).gather(3, at).where(found, -1)


def _pixels(bins: _Bins) -> tuple[Tensor, Tensor]:
    reach = torch.arange(int((bins.beyond - bins.first).max()), device=bins.first.device)
    pixel = bins.first[..., None] + reach
    return pixel, pixel < bins.beyond[..., None]
