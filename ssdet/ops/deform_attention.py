"""Multi-scale deformable attention; mmcv calls the compiled operator for it on a GPU only."""

from __future__ import annotations

import torch
from torch import Tensor


def ms_deform_attn_forward(
    value: Tensor, shapes: Tensor, starts: Tensor, locations: Tensor, weights: Tensor, **how: int
) -> Tensor:
    """The attended values, (B, queries, heads * channels)."""
    # mmcv's own portable form is the definition; imported late, since mmcv.ops imports us first.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)


def ms_deform_attn_backward(*tensors: Tensor, **how: int) -> None:
    """Write the gradients of value, locations and weights into the last three tensors."""
    value, shapes, starts, locations, weights, grad = tensors[:6]
    inputs = [tensor.detach().requires_grad_() for tensor in (value, locations, weights)]
    with torch.enable_grad():
        output = ms_deform_attn_forward(inputs[0], shapes, starts, *inputs[1:])
    for target, found in zip(tensors[6:], torch.autograd.grad(output, inputs, grad), strict=True):
        target.copy_(found)
