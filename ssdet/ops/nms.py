"""Greedy non-maximum suppression, its soft variants, and the groups that suppression makes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import torchvision_kernels
from .boxes import area
from .sampling import full_precision

# Rows of the overlap matrix that are computed together: small enough for the cache of a CPU,
# large enough to give a GPU something to do.
_BLOCK = {"cpu": 128}
_BLOCK_GPU = 2048


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that no better kept box overlaps by more than the threshold."""
    if boxes.numel() == 0:
        return torch.empty(0, dtype=torch.long, device=boxes.device)
    order = scores.sort(0, descending=True)[1]
    boxes = full_precision(boxes)[order]
    if not offset and torchvision_kernels.serves(boxes.device.type):
        return order[torchvision_kernels.nms(boxes, iou_threshold)]
    columns = torch.cat([boxes.T, area(boxes, offset)[None]])
    return order[_greedy(columns.contiguous(), iou_threshold, offset)]


def _greedy(boxes: Tensor, threshold: float, offset: int) -> Tensor:
    """Positions kept of (5, N) columns x1, y1, x2, y2, area that are sorted by falling score."""
    block = _BLOCK.get(boxes.device.type, _BLOCK_GPU)
    alive = torch.arange(boxes.shape[1], device=boxes.device)
    kept = []
    while len(alive):
        head, tail = boxes[:, :block], boxes[:, block:]
        keep = _resolve((_overlap(head, head, offset) > threshold).triu_(1))
        kept.append(alive[:block][keep])
        survives = ~(_overlap(head[:, keep], tail, offset) > threshold).any(0)
        boxes, alive = tail[:, survives], alive[block:][survives]
    return torch.cat(kept)


def _resolve(suppresses: Tensor) -> Tensor:
    """Which boxes are kept, given which would suppress which (strictly upper triangular).

    Box i depends on the boxes before it only, so the iteration ends at the one fixed point, which
    is what going through the boxes one by one gives, after as many rounds as suppression chains
    are long.
    """
    keep = torch.ones(len(suppresses), dtype=torch.bool, device=suppresses.device)
    while True:
        after = ~(suppresses & keep[:, None]).any(0)
        if torch.equal(after, keep):
            return keep
        keep = after


def _overlap(rows: Tensor, columns: Tensor, offset: int) -> Tensor:
    """IoU of each of `rows` with each of `columns`; in place, in the compiled operator's order."""
    x1, y1, x2, y2, size = rows[:, :, None]
    width = torch.minimum(x2, columns[2]).sub_(torch.maximum(x1, columns[0]))
    height = torch.minimum(y2, columns[3]).sub_(torch.maximum(y1, columns[1]))
    if offset:
        width.add_(offset), height.add_(offset)
    overlap = width.clamp_(min=0).mul_(height.clamp_(min=0))
    return overlap.div_((size + columns[4]).sub_(overlap))


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of overlapping boxes (0 naive, 1 linear, 2 gaussian), best box first.

    Writes boxes and scores into `dets` and returns their indices. Boxes change places exactly as
    in the compiled operator, since those places decide between equal scores.
    """
    table = _soft_table(boxes, scores, offset)
    index, count, first = np.arange(table.shape[1]), table.shape[1], 0
    threshold, lowest = table.dtype.type(iou_threshold), table.dtype.type(min_score)
    while first < count:
        best = first + _argmax(table[4, first:count])
        for row in (*table, index):
            row[first], row[best] = row[best], row[first]
        rest = table[:, first + 1 : count]
        rest[4] *= _decay(_overlap_rows(table[:, first], rest, offset), threshold, sigma, method)
        first += 1
        count = first + _drop(rest, index[first:count], lowest)
    dets[:count] = torch.from_numpy(table[:5, :count].T).to(dets.dtype)
    return torch.from_numpy(index[:count])


def nms_match(dets: Tensor, *, iou_threshold: float) -> list[list[int]]:
    """Each kept box with the boxes that it suppressed, all by falling score."""
    dets = full_precision(dets.cpu())
    order = dets[:, 4].sort(0, descending=True)[1].numpy()
    table = _soft_table(dets[:, :4], dets[:, 4], 0)[:, order]
    threshold = table.dtype.type(iou_threshold)
    groups = []
    while len(order):
        hit = _overlap_rows(table[:, 0], table[:, 1:], 0) >= threshold
        groups.append([int(order[0]), *order[1:][hit].tolist()])
        order, table = order[1:][~hit], table[:, 1:][:, ~hit]
    return groups


def _soft_table(boxes: Tensor, scores: Tensor, offset: int) -> np.ndarray:
    """Columns of x1, y1, x2, y2, score and area."""
    boxes, scores = full_precision(boxes), full_precision(scores)
    return torch.cat([boxes.T, scores[None], area(boxes, offset)[None]]).numpy()


def _overlap_rows(one: np.ndarray, rest: np.ndarray, offset: int) -> np.ndarray:
    """IoU of one column of the table with others."""
    width = np.minimum(one[2], rest[2]) - np.maximum(one[0], rest[0]) + offset
    height = np.minimum(one[3], rest[3]) - np.maximum(one[1], rest[1]) + offset
    overlap = np.maximum(width, 0) * np.maximum(height, 0)
    with np.errstate(invalid="ignore", divide="ignore"):  # boxes without area overlap nothing
        return overlap / (one[5] + rest[5] - overlap)


def _argmax(scores: np.ndarray) -> int:
    """First largest score; as in a loop of comparisons, NaN wins only where it stands first."""
    best = int(scores.argmax())
    if np.isnan(scores[best]):
        best = 0 if np.isnan(scores[0]) else int(np.nanargmax(scores))
    return best


def _decay(overlap: np.ndarray, threshold: np.floating, sigma: float, method: int) -> np.ndarray:
    if method == 2:
        # Rounded once from double: the same float as the C library's.
        return np.exp((-(overlap * overlap) / overlap.dtype.type(sigma)).astype(float))
    lowered = 0 if method == 0 else 1 - overlap
    return np.where(overlap >= threshold, lowered, np.ones_like(overlap))


def _drop(table: np.ndarray, index: np.ndarray, lowest: np.floating) -> int:
    """Fill the places of boxes with too low scores from the end; returns how many remain."""
    low = table[4] < lowest
    remain = len(low) - int(np.count_nonzero(low))
    if remain < len(low):
        holes = low[:remain].nonzero()[0]
        fillers = remain + (~low[remain:]).nonzero()[0][::-1]
        table[:, holes], index[holes] = table[:, fillers], index[fillers]
    return remain
