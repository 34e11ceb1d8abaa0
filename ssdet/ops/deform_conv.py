"""Deformable convolution, version 1 (Dai et al. 2017) and modulated version 2 (Zhu et al. 2018).

Every sampled value is a weighted sum of four pixels, where the weights depend on the offsets. With
those as a differentiable sum of table rows, one matrix product gives the convolution and autograd
gives all gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from .sampling import full_precision, weighted_rows


class _Geometry(NamedTuple):
    """Settings of a convolution, each pair as (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int

    @classmethod
    def plain(cls, how: dict[str, int]) -> _Geometry:
        """From the arguments of `deform_conv_*`."""
        kernel, stride, padding, dilation = (
            (how[f"{name}H"], how[f"{name}W"]) for name in ("k", "d", "pad", "dilation")
        )
        return cls(kernel, stride, padding, dilation, how["group"], how["deformable_group"])

    @classmethod
    def modulated(cls, how: dict[str, int]) -> _Geometry:
        """From the arguments of `modulated_deform_conv_*`."""
        kernel, stride, padding, dilation = (
            (how[f"{name}_h"], how[f"{name}_w"]) for name in ("kernel", "stride", "pad", "dilation")
        )
        return cls(kernel, stride, padding, dilation, how["group"], how["deformable_group"])

    def refuse_other_offsets(self, features: Tensor, offset: Tensor) -> None:
        """Check the shape (C, H, W) of the offsets of one image."""
        reach = [self.dilation[i] * (self.kernel[i] - 1) + 1 for i in (0, 1)]
        size = [
            (features.shape[1 + i] + 2 * self.padding[i] - reach[i]) // self.stride[i] + 1
            for i in (0, 1)
        ]
        needed = [2 * self.deform_groups * self.kernel[0] * self.kernel[1], *size]
        if list(offset.shape) != needed:
            raise RuntimeError(
                f"deform_conv2d: the offset of an image has shape {list(offset.shape)}, but "
                f"features of {list(features.shape)} with {self} need {needed} (two numbers for "
                "each point of the kernel and deform group at each output pixel)."
            )


def deform_conv_forward(
    features: Tensor, weight: Tensor, offset: Tensor, output: Tensor, *buffers: Tensor, **how: int
) -> None:
    """Write the convolution into `output`."""
    convolve = _plain(how)
    for b in range(len(features)):
        output[b] = convolve(features[b], offset[b], weight)


def deform_conv_backward_input(*tensors: Tensor, **how: int) -> None:
    """Write the gradients of features and offsets, the fourth and fifth of the tensors."""
    features, offset, grad, grad_features, grad_offset, weight, _ = tensors
    for b in range(len(features)):
        inputs = (features[b], offset[b])
        found = _gradients(lambda f, o: _plain(how)(f, o, weight), inputs, grad[b])
        grad_features[b], grad_offset[b] = found


def deform_conv_backward_parameters(*tensors: Tensor, **how: int) -> None:
    """Add the gradient of the weight, times `scale`, to the fourth of the tensors."""
    features, offset, grad, grad_weight = tensors[:4]
    for b in range(len(features)):
        # The convolution is linear in its weight, so that the gradient is the same for any.
        function = partial(_plain(how), features[b], offset[b])
        (found,) = _gradients(function, (grad_weight,), grad[b])
        grad_weight += found * how["scale"]


def modulated_deform_conv_forward(*tensors: Tensor, **how: int) -> None:
    """Write the convolution into `output`, the seventh of the tensors."""
    features, weight, bias, _, offset, mask, output, _ = tensors
    geometry = _Geometry.modulated(how)
    for b in range(len(features)):
        output[b] = _convolve(features[b], offset[b], weight, geometry, mask[b])
    if how["with_bias"]:
        output += bias.view(1, -1, 1, 1)


def modulated_deform_conv_backward(*tensors: Tensor, **how: int) -> None:
    """Write the five gradients, in the order in which mmcv passes them."""
    features, weight, _, _, offset, mask, _ = tensors[:7]
    grad_features, grad_weight, grad_bias, grad_offset, grad_mask, grad = tensors[7:]
    geometry = _Geometry.modulated(how)
    for b in range(len(features)):
        inputs = (features[b], offset[b], mask[b], weight)
        found = _gradients(lambda f, o, m, w: _convolve(f, o, w, geometry, m), inputs, grad[b])
        grad_features[b], grad_offset[b], grad_mask[b] = found[:3]
        grad_weight += found[3]
    if how["with_bias"]:
        grad_bias += grad.sum((0, 2, 3))


def _plain(how: dict[str, int]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    geometry = _Geometry.plain(how)
    return lambda features, offset, weight: _convolve(features, offset, weight, geometry)


def _gradients(
    function: Callable[..., Tensor], inputs: tuple[Tensor, ...], grad: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of the inputs of a function that is evaluated here once more."""
    with torch.enable_grad():
        inputs = tuple(tensor.detach().requires_grad_() for tensor in inputs)
        output = function(*inputs)
    return torch.autograd.grad(output, inputs, grad.to(output.dtype))


def _convolve(
    features: Tensor,
    offset: Tensor,
    weight: Tensor,
    geometry: _Geometry,
    mask: Tensor | None = None,
) -> Tensor:
    """Convolve one image, (C, H, W) to (C', H', W'), with its values sampled at the offsets."""
    geometry.refuse_other_offsets(features, offset)
    # Under autocast the product would be rounded to half precision once more.
    with torch.autocast(features.device.type, enabled=False):
        columns = _columns(full_precision(features), full_precision(offset), geometry, mask)
        columns = columns.reshape(geometry.groups, -1, columns.shape[-1])
        kernels = full_precision(weight).reshape(geometry.groups, -1, columns.shape[1])
        return (kernels @ columns).view(-1, *offset.shape[1:])


def _columns(features: Tensor, offset: Tensor, geometry: _Geometry, mask: Tensor | None) -> Tensor:
    """Sampled values, (C, kernel points, output pixels)."""
    channels, height, width = features.shape
    index, weight = _corners(offset, (height, width), geometry)
    if mask is not None:
        weight = weight * full_precision(mask).reshape(-1, 1)
    groups = geometry.deform_groups
    # One row for each pixel of a group, in one piece of memory.
    table = features.reshape(groups, -1, height * width).transpose(1, 2).contiguous()
    values = weighted_rows(table.view(groups * height * width, -1), index, weight)
    points = geometry.kernel[0] * geometry.kernel[1]
    values = values.view(groups, points, -1, channels // groups)
    return values.permute(0, 3, 1, 2).reshape(channels, points, -1)


def _corners(offset: Tensor, size: tuple[int, int], geometry: _Geometry) -> tuple[Tensor, Tensor]:
    """The four pixels around each sampled position and their weights: (positions, 4) each."""
    groups, points = geometry.deform_groups, geometry.kernel[0] * geometry.kernel[1]
    shift = offset.view(groups, points, 2, *offset.shape[1:])
    y, x = (shift[:, :, axis] + _grid(offset, geometry, axis) for axis in (0, 1))
    inside = (y > -1) & (y < size[0]) & (x > -1) & (x < size[1])
    (y_low, y_share), (x_low, x_share) = _split(y.where(inside, 0)), _split(x.where(inside, 0))
    start = torch.arange(groups, device=offset.device).view(-1, 1, 1, 1) * size[0] * size[1]
    index, weight = [], []
    for row, row_weight in ((y_low, 1 - y_share), (y_low + 1, y_share)):
        for column, column_weight in ((x_low, 1 - x_share), (x_low + 1, x_share)):
            real = inside & (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
            index.append(start + (row * size[1] + column).where(real, 0))
            weight.append((row_weight * column_weight).where(real, 0))
    return torch.stack(index, -1).view(-1, 4), torch.stack(weight, -1).view(-1, 4)


def _split(position: Tensor) -> tuple[Tensor, Tensor]:
    low = position.detach().floor()
    return low.long(), position - low


def _grid(offset: Tensor, geometry: _Geometry, axis: int) -> Tensor:
    """Where an undeformed kernel reads on one axis: (kernel points, H', W'), broadcastable."""
    tall, wide = geometry.kernel
    outputs = torch.arange(offset.shape[1 + axis], device=offset.device)
    start = outputs * geometry.stride[axis] - geometry.padding[axis]
    tap = torch.arange(geometry.kernel[axis], device=offset.device) * geometry.dilation[axis]
    tap = tap.repeat_interleave(wide) if axis == 0 else tap.repeat(tall)
    start = start.view(-1, 1) if axis == 0 else start
    return tap.view(-1, 1, 1) + start
