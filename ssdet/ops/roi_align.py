"""RoIAlign: every output bin is a weighted sum of pixels, so a level is pooled in one pass.

The features are laid out as a table with one row (all channels) for each pixel. Average pooling is
then a sum of table rows with weights that depend on the boxes only, and its gradient is the same
sum with the roles of pixels and bins exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import torchvision_kernels
from .sampling import full_precision, pixel_table, scatter_rows, weighted_rows

# Weights (average) and values (maximum) that are held at a time; they bound the memory.
_WEIGHTS = 1 << 21
_VALUES = 1 << 24
_NOTHING = -10000.0  # what the compiled operator gives for the maximum over no sample


class Pooling(NamedTuple):
    """The settings of the compiled operator, under the names by which mmcv passes them."""

    aligned_height: int
    aligned_width: int
    spatial_scale: float
    sampling_ratio: int
    pool_mode: int
    aligned: bool

    @property
    def average(self) -> bool:
        """Average pooling; else the maximum."""
        return self.pool_mode == 1


class _Neighbors(NamedTuple):
    """The two pixels around each position on one axis, and the share of the higher one."""

    low: Tensor
    high: Tensor
    share: Tensor


class _Axis(NamedTuple):
    """Where the bins of one axis are sampled, all of shape (N, bins, samples)."""

    position: Tensor
    near: _Neighbors
    inside: Tensor
    grid: Tensor  # (N,) samples in a bin; those beyond are padding
    dense: bool  # samples are at most one pixel apart


def roi_align_forward(
    features: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, **how: Any
) -> None:
    """Write the pooled (N, C, height, width) bins into `output`."""
    pooling = Pooling(**how)
    if not output.numel():
        return
    if pooling.average and torchvision_kernels.serves(features.device.type):
        output.copy_(torchvision_kernels.roi_align(features, rois, pooling))
        return
    table = pixel_table(full_precision(features))
    for chosen, y, x in _groups(rois.to(table.dtype), pooling, features.shape):
        batch = rois[chosen, 0].long()
        if pooling.average:
            bins = weighted_rows(table, *_weights(batch, y, x, features.shape))
            _store(output, chosen, bins)
        else:
            best = _maximum(table, batch, y, x, features.shape)
            for target, values in zip((output, argmax_y, argmax_x), best, strict=True):
                _store(target, chosen, values)


def roi_align_backward(
    grad: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor, **how: Any
) -> None:
    """Write the gradient of the features into `grad_input`."""
    pooling = Pooling(**how)
    if not grad.numel():
        return
    if not pooling.average:
        _maximum_backward(grad, rois, (argmax_y, argmax_x), grad_input)
        return
    if torchvision_kernels.serves(grad.device.type):
        grad_input.copy_(
            torchvision_kernels.roi_align_backward(grad, rois, grad_input.shape, pooling)
        )
        return
    total = torch.zeros_like(pixel_table(full_precision(grad_input)))
    for chosen, y, x in _groups(rois.to(total.dtype), pooling, grad_input.shape):
        bins = pixel_table(grad[chosen].to(total.dtype))
        weights = _weights(rois[chosen, 0].long(), y, x, grad_input.shape)
        scatter_rows(total, bins, *weights)
    batch, channels, height, width = grad_input.shape
    grad_input.copy_(total.view(batch, height, width, channels).permute(0, 3, 1, 2))


def _store(target: Tensor, chosen: Tensor, bins: Tensor) -> None:
    """Put the rows of all bins of the chosen boxes where (N, C, height, width) has them."""
    _, channels, height, width = target.shape
    maps = bins.view(-1, height, width, channels).permute(0, 3, 1, 2)
    if len(chosen) == len(target):
        target.copy_(maps)  # one group holds all boxes in order
    else:
        target[chosen] = maps.to(target.dtype)


def _groups(
    rois: Tensor, pooling: Pooling, size: torch.Size
) -> Iterator[tuple[Tensor, _Axis, _Axis]]:
    """Boxes with about equally many samples, as many as fit the memory, and their samples."""
    box = rois[:, 1:] * pooling.spatial_scale - (0.5 if pooling.aligned else 0.0)
    start, length = box[:, :2], box[:, 2:] - box[:, :2]
    if pooling.aligned:
        _refuse_inverted(rois, length)
    else:
        length = length.clamp(min=1)  # the older definition
    dense = pooling.sampling_ratio <= 0
    bins = (pooling.aligned_width, pooling.aligned_height)
    if dense:
        grid = (length / length.new_tensor(bins)).float().ceil().clamp(min=0).long()
    else:
        grid = torch.full_like(length, pooling.sampling_ratio, dtype=torch.long)
    for chosen, samples in _alike(grid):
        held = max(samples, 1) * bins[0] * bins[1]
        step = _WEIGHTS // (4 * held) if pooling.average else _VALUES // (size[1] * held)
        for part in chosen.split(max(step, 1)):
            x, y = (
                _axis(start[part, i], length[part, i], grid[part, i], (bins[i], size[3 - i], dense))
                for i in (0, 1)
            )
            yield part, y, x


def _alike(grid: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Indices of boxes whose sample grids round up to the same (1, 2, 3, 4, 6, 8, 12, 16 ...).

    Padding to the largest grid of a group costs little, one group for each size costs more.
    """
    step = 2 ** (grid.clamp(min=2).float().log2().floor() - 1)
    width, height = ((grid / step).ceil() * step).long().unbind(1)
    key = width * (int(height.max()) + 1) + height
    for one in key.unique().tolist():
        chosen = (key == one).nonzero()[:, 0]
        yield chosen, int(width[chosen[0]] * height[chosen[0]])


def _axis(start: Tensor, length: Tensor, grid: Tensor, shape: tuple[int, int, bool]) -> _Axis:
    """Samples of one axis, rounded as the compiled operator rounds them."""
    bins, size, dense = shape
    step = (length / bins)[:, None]
    sample = torch.arange(max(int(grid.max()), 1), device=start.device)
    first = start[:, None] + torch.arange(bins, device=start.device) * step
    position = first[:, :, None] + ((sample + 0.5) * step / grid[:, None])[:, None]
    near, inside = _neighbors(position, size)
    return _Axis(position, near, inside & (sample < grid[:, None])[:, None], grid, dense)


def _neighbors(position: Tensor, size: int) -> tuple[_Neighbors, Tensor]:
    """Pixels around positions; up to one pixel outside of the border counts as on the border."""
    inside = (position >= -1) & (position <= size)
    position = position.where(inside, 0).clamp(min=0)
    low = position.long().clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    return _Neighbors(low, high, (position - low).where(high > low, 0)), inside


def _weights(batch: Tensor, y: _Axis, x: _Axis, size: torch.Size) -> tuple[Tensor, Tensor]:
    """Pixels of which each bin is the sum, and their weights: (N * bins, pixels)."""
    row, row_weight = _taps(y, size[2])
    column, column_weight = _taps(x, size[3])
    row = (batch[:, None, None] * size[2] + row) * size[3]
    index = row[:, :, None, :, None] + column[:, None, :, None, :]
    weight = row_weight[:, :, None, :, None] * column_weight[:, None, :, None, :]
    taps = row.shape[2] * column.shape[2]
    return index.view(-1, taps), weight.view(-1, taps)


def _taps(axis: _Axis, size: int) -> tuple[Tensor, Tensor]:
    """Pixels and weights, (N, bins, taps), that the samples of one axis amount to."""
    low, high, share = axis.near
    share_low = (1 - share).where(axis.inside, 0)
    share_high = share.where(axis.inside, 0)
    count = axis.grid.clamp(min=1)[:, None, None]
    if not axis.dense:
        return torch.cat([low, high], 2), torch.cat([share_low, share_high], 2) / count
    # Dense samples hit neighboring pixels, most of them several times: add those up.
    reach = low.shape[2] + 2
    weight = share.new_zeros(*low.shape[:2], reach)
    weight.scatter_add_(2, (low - low[..., :1]).clamp(0, reach - 1), share_low)
    weight.scatter_add_(2, (high - low[..., :1]).clamp(0, reach - 1), share_high)
    pixel = low[..., :1] + torch.arange(reach, device=low.device)
    return pixel.clamp(max=size - 1), weight / count


def _maximum(
    table: Tensor, batch: Tensor, y: _Axis, x: _Axis, size: torch.Size
) -> tuple[Tensor, Tensor, Tensor]:
    """Largest sample of each bin, (N, height, width, C), and its y and x.

    Equal values are separated by rounding: the products are summed in the order of the compiled
    operator, so that the same sample wins and gets the gradient.
    """
    parts = []
    for row, row_weight in _ends(y):
        for column, column_weight in _ends(x):
            pixel = ((batch[:, None, None] * size[2] + row) * size[3])[:, :, None, :, None]
            weight = row_weight[:, :, None, :, None] * column_weight[:, None, :, None, :]
            parts.append(table[pixel + column[:, None, :, None, :]].mul_(weight[..., None]))
    value = parts[0].add_(parts[1]).add_(parts[2]).add_(parts[3])
    real_y, real_x = (_real(axis) for axis in (y, x))
    padding = ~(real_y[:, None, None, :, None] & real_x[:, None, None, None, :])
    if padding.any():
        value.masked_fill_(padding[..., None], _NOTHING)
    best, at = value.flatten(3, 4).max(3)
    some, shape = best > _NOTHING, value.shape[:5]
    from_y = y.position[:, :, None, :, None].expand(shape).flatten(3).gather(3, at)
    from_x = x.position[:, None, :, None, :].expand(shape).flatten(3).gather(3, at)
    return best.clamp(min=_NOTHING), from_y.where(some, -1), from_x.where(some, -1)


def _ends(axis: _Axis) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    low, high, share = axis.near
    return (low, (1 - share).where(axis.inside, 0)), (high, share.where(axis.inside, 0))


def _real(axis: _Axis) -> Tensor:
    return torch.arange(axis.position.shape[2], device=axis.grid.device) < axis.grid[:, None]


def _maximum_backward(
    grad: Tensor, rois: Tensor, position: tuple[Tensor, Tensor], grad_input: Tensor
) -> None:
    """Give the gradient of each bin to the four pixels around its largest sample."""
    _, channels, height, width = grad_input.shape
    total = torch.zeros_like(full_precision(grad_input)).flatten()
    y, inside_y = _neighbors(position[0].to(total.dtype), height)
    x, inside_x = _neighbors(position[1].to(total.dtype), width)
    given = grad.to(total.dtype).where(inside_y & inside_x & (position[0] != -1), 0)
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)
    for row, row_weight in ((y.low, 1 - y.share), (y.high, y.share)):
        for column, column_weight in ((x.low, 1 - x.share), (x.high, x.share)):
            pixel = (plane[:, :, None, None] * height + row) * width + column
            total.index_add_(0, pixel.flatten(), (given * row_weight * column_weight).flatten())
    grad_input.copy_(total.view_as(grad_input))


def _refuse_inverted(rois: Tensor, length: Tensor) -> None:
    # As the compiled operator: on a GPU looking at the values would stall the queue.
    if rois.device.type != "cpu" or bool((length >= 0).all()):
        return
    worst = int((~(length >= 0)).any(1).nonzero()[0, 0])
    raise RuntimeError(
        f"roi_align: box {worst} of {len(rois)} is {rois[worst, 1:].tolist()}: with aligned=True "
        "x2 >= x1 and y2 >= y1 are needed. Check the box regression for NaN or inverted "
        "boxes, or drop them before pooling."
    )
