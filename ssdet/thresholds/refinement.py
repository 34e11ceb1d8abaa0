"""When a stored pseudo label is worth changing: only where the teacher is sure, only for news.

The bank of "Two-shot Video Object Segmentation" (CVPR 2023): a stored label is refined, never
forgotten, so that a teacher that gets worse cannot undo what a better one has said.
"""

import torch
from torch import Tensor

from ..labels import IGNORE


def first_labels(labels: Tensor, scores: Tensor, valid: Tensor, score: float) -> Tensor:
    """Labels (H, W) of the pixels that are at or above `score`; the others are unknown (255)."""
    return labels.where(valid & (scores >= score), IGNORE)


def refine_labels(
    stored: Tensor,
    labels: Tensor,
    scores: Tensor,
    valid: Tensor,
    score: float | Tensor,
    *,
    background: int | None = None,
) -> tuple[Tensor, bool]:
    """The stored labels (H, W), overwritten where the teacher is sure, and whether they changed.

    They stay as they are unless a sure pixel of an object says something that is not stored: a
    sure region inside of the same stored object is no news, and neither is `background` alone.
    `score` is one for all pixels or one for each.
    """
    sure = valid & (scores >= score)
    news = sure & (labels != stored)
    if background is not None:
        news &= labels != background
    if not news.any():
        return stored, False
    return labels.where(sure, stored), True


def refine_boxes(
    stored: tuple[Tensor, Tensor],
    found: tuple[Tensor, Tensor],
    overlaps: Tensor,
    score: float,
    iou: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Which stored boxes stay (N,), and which found ones are taken (M,), as masks.

    A found box is news if its score reaches `score` and no stored box of its class overlaps it by
    `iou` or more, or if each one that does has a lower score: those are replaced. Of two found
    boxes that overlap and are news, both are taken: the teacher's NMS has judged them.

    Args:
        stored, found: (labels, scores) of the boxes.
        overlaps: IoU (N, M) of stored with found boxes.
    """
    same = (overlaps >= iou) & (stored[0][:, None] == found[0][None])
    # The best score among the stored boxes that a found one would replace.
    rival = stored[1][:, None].where(same, -1.0)
    best = rival.amax(0) if len(rival) else torch.full_like(found[1], -1.0)
    taken = (found[1] >= score) & (found[1] > best)
    return ~(same & taken[None]).any(1), taken
