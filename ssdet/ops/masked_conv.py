"""The two halves of a convolution that is computed at chosen pixels only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def masked_im2col_forward(
    features: Tensor, rows: Tensor, columns: Tensor, patches: Tensor, **how: int
) -> None:
    """Write the patch (channels * kernel, pixels) around each chosen pixel into `patches`."""
    padded = functional.pad(features[0], [how["pad_w"]] * 2 + [how["pad_h"]] * 2)
    y = rows[None] + torch.arange(how["kernel_h"], device=rows.device)[:, None]
    x = columns[None] + torch.arange(how["kernel_w"], device=rows.device)[:, None]
    # Beyond the padding lies nothing: a kernel larger than it reads zeros there.
    padded = functional.pad(padded, (0, how["kernel_w"], 0, how["kernel_h"]))
    patches.copy_(padded[:, y[:, None], x[None]].view_as(patches))


def masked_col2im_forward(
    values: Tensor, rows: Tensor, columns: Tensor, output: Tensor, **how: int
) -> None:
    """Write the (channels, pixels) values to the chosen pixels of the (1, C, H, W) output."""
    output[0, :, rows, columns] = values.to(output.dtype)
