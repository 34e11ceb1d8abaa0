"""Predictions from several views of one image, merged into one set of boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from .box_quality import iou


def clusters(boxes: Tensor, scores: Tensor, labels: Tensor, min_iou: float) -> Tensor:
    """For each box (N, 4) the index of the box that represents it: (N,).

    The highest-scoring box takes all others of its class that overlap it by more than `min_iou`,
    then the highest-scoring of the remaining ones, and so on, as NMS does.
    """
    near = (iou(boxes, boxes) > min_iou) & (labels[:, None] == labels[None])
    near |= torch.eye(len(boxes), dtype=torch.bool, device=boxes.device)  # a box without an area
    near_rows = near.cpu()
    speaker = torch.full((len(boxes),), -1)
    for index in scores.argsort(descending=True, stable=True).tolist():
        if speaker[index] < 0:
            speaker[near_rows[index] & (speaker < 0)] = index
    return speaker.to(boxes.device)


def vote(
    boxes: Tensor, scores: Tensor, labels: Tensor, views: Tensor, count: int, min_iou: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The clusters of boxes (N, 4 + D) that `count` views found, each with the number of its view.

    Columns beyond the four corners are other numbers of a box, such as its objectness.

    Returns the indices (M,) of the boxes that represent the clusters, the clusters' boxes
    (M, 4 + D) and their scores (M,). Boxes are means weighted by the scores. A score is the mean
    over all views of the highest score in a view, 0 where it has no box.
    """
    speaker = clusters(boxes[:, :4], scores, labels, min_iou)
    leaders, cluster = speaker.unique(return_inverse=True)
    shape = (len(leaders), count)
    highest = scores.new_zeros(shape).flatten()
    highest.scatter_reduce_(0, cluster * count + views, scores, "amax")
    weights = scores.clamp(min=torch.finfo(scores.dtype).tiny)[:, None]
    total = boxes.new_zeros(len(leaders), 1).index_add_(0, cluster, weights)
    mean = (
        boxes.new_zeros(len(leaders), boxes.shape[1]).index_add_(0, cluster, boxes * weights)
        / total
    )
    return leaders, mean, highest.view(shape).mean(1)
