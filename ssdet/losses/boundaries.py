"""Boundaries between the classes of a label map, and of predicted masks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import IGNORE


def label_boundaries(labels: Tensor, width: int = 0, ignore: int = IGNORE) -> Tensor:
    """Where the Sobel gradient of the one-hot coded labels (B, H, W) is not zero: (B, H, W), bool.

    Exactly the pixels at which sum_c |Sobel(1[label = c])| > 0, but worked out from the labels, as
    a map of all classes would be large: a gradient vanishes for every class if and only if the
    labels on the one side, weighted 1-2-1, are those on the other one. The border of the image
    makes no boundary (it is continued), nor do ignored pixels (each neighbor takes them for one
    of its own class), and they are on none.

    Args:
        width: By how many pixels the band is widened on either side; without it is 2 pixels wide.
    """
    padded = F.pad(labels[:, None].float(), (1, 1, 1, 1), mode="replicate")[:, 0].long()
    height, long = labels.shape[-2:]

    def neighbor(down: int, right: int) -> Tensor:
        shown = padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + long]
        return torch.where(shown == ignore, labels, shown)

    vertical = [[neighbor(y, x) for x in (-1, 0, 1)] for y in (-1, 1)]
    horizontal = [[neighbor(y, x) for y in (-1, 0, 1)] for x in (-1, 1)]
    edge = ~(_balanced(*vertical) & _balanced(*horizontal)) & (labels != ignore)
    if width:
        wide = F.max_pool2d(edge[:, None].float(), 2 * width + 1, stride=1, padding=width)
        edge = (wide[:, 0] > 0) & (labels != ignore)
    return edge


def _balanced(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """Whether two triples of labels with the weights 1, 2, 1 weigh the same for every class."""
    (a, b, c), (x, y, z) = one, other
    alike = (b == y) & (((a == x) & (c == z)) | ((a == z) & (c == x)))
    crossed = (a == c) & (x == z) & (a == y) & (b == x)
    return alike | crossed


def boundary_weights(weights: Tensor, boundary: Tensor, valid: Tensor, *, per: Tensor) -> Tensor:
    """Weights that add the mean over boundary pixels to a mean that divides by `per`.

    With b the boundary pixels that are trained on: 1[b] per / max(1, sum(b)), so that
    sum(l w) / per is sum(l b) / max(1, sum(b)).
    """
    trained = boundary & valid & (weights > 0)
    return trained * (per / trained.sum().clamp(min=1))


def boundary_map(probabilities: Tensor, factor: float = 3.0) -> Tensor:
    """How much a predicted mask (N, H, W) changes at a pixel: weights whose mean is `factor`.

    Noisy Boundaries (Wang et al., CVPR 2022): the amount of the Laplacian, 8 times a pixel less its
    eight neighbors, divided by the mean of the mask. The border is continued, so that it is no
    boundary by itself. A mask without any change has weights of 0.

    >>> boundary_map(torch.tensor([[[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]]))[0, 1]
    tensor([ 1.6875, 13.5000,  1.6875])
    """
    inner = probabilities.detach().float()
    padded = F.pad(inner[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    height, width = inner.shape[-2:]
    change = torch.zeros_like(inner)
    for down in range(3):
        for right in range(3):  # differences, which are exactly 0 where nothing changes
            change += inner - padded[:, down : down + height, right : right + width]
    change = change.abs()
    return factor * change / change.mean((1, 2), keepdim=True).clamp(min=1e-6)
