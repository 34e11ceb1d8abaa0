"""Borders between the labels of a map, which heads such as that of PIDNet learn beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import IGNORE

_LOW, _HIGH, _ALL = slice(None, -1), slice(1, None), slice(None)
# Rows and columns of the pixel that is marked, and of its neighbor of another label.
_NEIGHBORS = (
    ((_HIGH, _ALL), (_LOW, _ALL)),
    ((_ALL, _LOW), (_ALL, _HIGH)),
    ((_LOW, _LOW), (_HIGH, _HIGH)),
    ((_LOW, _HIGH), (_HIGH, _LOW)),
)


def label_edges(labels: Tensor, width: int, ignore: int = IGNORE) -> Tensor:
    """1 where label maps (B, H, W) have a border, drawn `width` pixels wide, and 0 elsewhere.

    As CE2P (Ruan et al., AAAI 2019) and MMSegmentation's `GenerateEdge` draw it. Beside a pixel to
    ignore there is none.
    """
    edges = torch.zeros_like(labels, dtype=torch.float32)
    for (rows, columns), (other_rows, other_columns) in _NEIGHBORS:
        label, neighbor = labels[:, rows, columns], labels[:, other_rows, other_columns]
        differs = (label != neighbor) & (label != ignore) & (neighbor != ignore)
        edges[:, rows, columns].masked_fill_(differs, 1.0)
    before, after = width // 2, width - 1 - width // 2
    padded = F.pad(edges[:, None], (before, after, before, after))
    return F.max_pool2d(padded, width, stride=1)[:, 0].long()
