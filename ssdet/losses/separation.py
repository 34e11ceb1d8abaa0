"""Which places learn what from a dense teacher, task by task (ARSL, CVPR 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .dense import TINY
from .set_prediction import overlaps

CHUNK = 1024  # ambiguous places that are compared with all positives at once
NEGATIVE_SHARE = 0.75  # weight of places that learn that there is nothing


@dataclass(frozen=True)
class Places:
    """What P places of an image learn.

    Attributes:
        classes: Targets (P, K) of the joint probability.
        boxes: Corners (P, 4) to learn, where `located`.
        located: Places whose box and IoU are learned.
        positive, ambiguous: Places (P,) of the two kinds; the others are background.
    """

    classes: Tensor
    boxes: Tensor
    located: Tensor
    positive: Tensor
    ambiguous: Tensor


def split_places(
    scores: Tensor, *, candidate: float = 0.1, ceiling: float = 0.4, fallback: int = 10
) -> tuple[Tensor, Tensor]:
    """Positive and ambiguous places (P,) of an image, by their best joint probability.

    Positive: at least min(mean + deviation of the candidates, ceiling); without any, the
    `fallback` best ones. Ambiguous: the other candidates, scores of at least `candidate`.
    """
    found = scores >= candidate
    chosen = scores[found]
    positive = torch.zeros_like(found)
    if len(chosen):
        # One candidate has no deviation.
        limit = chosen.mean() + chosen.std() if len(chosen) > 1 else chosen[0]
        positive = scores >= limit.clamp(max=ceiling)
    if not positive.any():
        positive = torch.zeros_like(found)
        positive[scores.topk(min(fallback, len(scores))).indices] = True
    return positive, found & ~positive


def place_targets(
    joint: Tensor,
    boxes: Tensor,
    priors: tuple[Tensor, Tensor],
    *,
    candidate: float = 0.1,
    ceiling: float = 0.4,
    overlap: float = 0.6,
    fallback: int = 10,
) -> Places:
    """Targets of an image from the teacher's joint probabilities (P, K) and boxes (P, 4).

    `priors` are the centers (P, 2) and levels (P,) of the places. Positives learn the probability
    of their best class and their own box; ambiguous places learn all probabilities. Where they
    agree with positives (`potential`), they also learn a box, the mean of those of the
    positives by their scores.
    """
    scores, labels = joint.max(1)
    positive, ambiguous = split_places(
        scores, candidate=candidate, ceiling=ceiling, fallback=fallback
    )
    classes = joint * ambiguous[:, None]
    classes[positive, labels[positive]] = scores[positive]
    goals, located = boxes.clone(), positive.clone()
    every = ambiguous.nonzero().squeeze(1)
    for part in every.split(CHUNK):
        agree = potential(part, positive, labels, boxes, priors, overlap)
        shares = agree * scores[positive]
        total = shares.sum(1, keepdim=True)
        goals[part] = torch.where(
            total > 0, shares @ boxes[positive] / total.clamp(min=TINY), boxes[part]
        )
        located[part] = agree.any(1)
    return Places(classes, goals, located, positive, ambiguous)


def potential(
    places: Tensor,
    positive: Tensor,
    labels: Tensor,
    boxes: Tensor,
    priors: tuple[Tensor, Tensor],
    overlap: float,
) -> Tensor:
    """Which places (A,), by number, agree with which positives: (A, number of positives).

    Their boxes overlap, the best class is the same, the place lies in the box of the positive,
    and the levels differ by one at most.
    """
    centers, levels = (part[places] for part in priors)
    own = boxes[positive]
    x, y = centers[:, :1], centers[:, 1:]
    inside = (x > own[:, 0]) & (x < own[:, 2]) & (y > own[:, 1]) & (y < own[:, 3])
    near = (levels[:, None] - priors[1][positive]).abs() <= 1
    same = labels[places][:, None] == labels[positive]
    iou, _ = overlaps(boxes[places][:, None], own[None])
    return inside & near & same & (iou >= overlap)


def joint_probability(logits: Tensor, quality: Tensor) -> Tensor:
    """Class probabilities (..., K) times the probability (...) of the IoU."""
    return logits.sigmoid() * quality.sigmoid()[..., None]


def joint_focal(logits: Tensor, quality: Tensor, targets: Tensor) -> Tensor:
    """|t - p|^2 BCE(p, t) of joint probabilities p (P, K), 0.75 of it where t is 0.

    It is computed from logarithms: p has no logit that is not one of a product.
    """
    log_p = (
        torch.nn.functional.logsigmoid(logits) + torch.nn.functional.logsigmoid(quality)[:, None]
    )
    p = log_p.exp()
    loss = -(targets * log_p + (1 - targets) * torch.log1p(-p.clamp(max=1 - TINY)))
    share = torch.where(targets > 0, 1.0, NEGATIVE_SHARE)
    return share * (targets - p).square() * loss
