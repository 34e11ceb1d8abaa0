"""torchvision's kernels, used on a GPU where torchvision can be loaded.

Only where it computes what mmcv computes: NMS of boxes whose sides are `x2 - x1`, and average
RoIAlign. Its RoIPool rounds boxes and its deformable convolution has other gradients at the border,
so they are not used; nor is anything on a CPU, where plain PyTorch is faster.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .sampling import full_precision

OPERATORS = ("nms", "roi_align")


@cache
def serves(device: str) -> bool:
    """Whether torchvision's operators run on this type of device and are to be used there."""
    return device == "cuda" and works(device)


def works(device: str) -> bool:
    """Whether torchvision is there and its operators really run: a wrong build imports too."""
    try:
        import torchvision  # noqa: F401

        boxes = torch.zeros(1, 4, device=device)
        return len(torch.ops.torchvision.nms(boxes, boxes[:, 0], 0.5)) == 1
    except (ImportError, OSError, RuntimeError, AttributeError):  # all seen with wrong builds
        return False


def nms(boxes: Tensor, threshold: float) -> Tensor:
    """Positions of kept boxes, in order, of boxes that are sorted by falling score."""
    # It would break ties among the scores in its own way: it is given ranks instead.
    ranks = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=boxes.dtype)
    # mmcv compares with the threshold in single precision.
    return torch.ops.torchvision.nms(boxes, ranks, float(np.float32(threshold)))


def roi_align(features: Tensor, rois: Tensor, pooling: Any) -> Tensor:
    """Average of each bin, (N, C, height, width)."""
    features = full_precision(features)
    return torch.ops.torchvision.roi_align(
        features,
        rois.to(features.dtype),
        pooling.spatial_scale,
        pooling.aligned_height,
        pooling.aligned_width,
        pooling.sampling_ratio,
        pooling.aligned,
    )


def roi_align_backward(grad: Tensor, rois: Tensor, size: torch.Size, pooling: Any) -> Tensor:
    """Gradient of the features of the given size."""
    grad = full_precision(grad)
    return torch.ops.torchvision._roi_align_backward(
        grad.contiguous(),
        rois.to(grad.dtype),
        pooling.spatial_scale,
        pooling.aligned_height,
        pooling.aligned_width,
        *size,
        pooling.sampling_ratio,
        pooling.aligned,
    )
