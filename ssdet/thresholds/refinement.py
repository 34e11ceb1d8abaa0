"""When a stored pseudo label is changed: where the teacher is confident of something new.

The stored labels of "Two-shot Video Object Segmentation" (CVPR 2023): a label is refined, never
forgotten, so that a teacher that gets worse cannot undo what a better one has labeled.
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
    """The stored labels (H, W), overwritten where the teacher is confident, and if they changed.

    They stay as they are unless a confident pixel of an object has a label that is not stored: a
    confident region of the same stored object is nothing new, and neither is `background` alone.
    `score` is one for all pixels or one for each.
    """
    confident = valid & (scores >= score)
    new = confident & (labels != stored)
    if background is not None:
        new &= labels != background
    if not new.any():
        return stored, False
    return labels.where(confident, stored), True


def refine_boxes(
    stored: tuple[Tensor, Tensor],
    found: tuple[Tensor, Tensor],
    overlaps: Tensor,
    score: float,
    iou: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Which stored boxes stay (N,), and which found ones are taken (M,), as masks.

    A found box is new if its score reaches `score` and no stored box of its class overlaps it by
    `iou` or more, or if each one that does has a lower score: those are replaced. Of two found
    boxes that overlap and are new, both are taken: the teacher's NMS has kept them.

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
