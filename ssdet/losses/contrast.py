"""Contrast: a feature, of a pixel or a box, is pulled to its class and pushed from others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(anchors: Tensor, positives: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Mean over anchors of -log softmax of the positive's cosine among those of the negatives.

    Args:
        anchors: (n, D).
        positives: (n, D), or (D,) for all anchors.
        negatives: (n, m, D).
        temperature: By which cosines are divided.
    """
    unit = F.normalize(anchors.float(), dim=-1)
    near = (unit * F.normalize(positives.float(), dim=-1)).sum(-1, keepdim=True)
    far = torch.einsum("nd,nmd->nm", unit, F.normalize(negatives.float(), dim=-1))
    logits = torch.cat([near, far], dim=1) / temperature
    return (logits.logsumexp(1) - logits[:, 0]).mean()


def cross_view_contrast(
    strong: Tensor, weak: Tensor, labels: Tensor, weights: Tensor, temperature: float
) -> Tensor:
    """Supervised contrast of features (N, D) in the strong view with those in the weak one.

    WSCoL. Of each i, the mean over the others j of its class of
    -log(e_j / sum_k a_k e_k), with e_k = exp(cos(strong_i, weak_k) / temperature), k other than i.
    A member of the class counts fully, another feature with its weight a_k. The mean is over those
    that have another member of their class; without any, it is zero.

    Args:
        strong, weak: The same N boxes in both views.
        labels: (N,).
        weights: a (N,), in [0, 1].
        temperature: By which cosines are divided.
    """
    cosines = F.normalize(strong.float(), dim=1) @ F.normalize(weak.float(), dim=1).T / temperature
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels) & others
    factor = torch.where(same, 1.0, weights[None]) * others
    logits = cosines.masked_fill(factor <= 0, -torch.inf) + factor.clamp(min=1e-12).log()
    members = same.sum(1)
    anchors = members > 0
    if not anchors.any():
        return cosines.sum() * 0.0
    likely = cosines[anchors] - logits[anchors].logsumexp(1, keepdim=True)
    each = likely.masked_fill(~same[anchors], 0.0).sum(1) / members[anchors]
    return -each.mean()


def separated(distances: Tensor, changed: Tensor, margin: float) -> Tensor:
    """Contrastive loss of distances: d^2, and where they should be large max(0, margin - d)^2."""
    return torch.where(changed, (margin - distances).clamp(min=0), distances).square()


def class_sums(features: Tensor, members: Tensor) -> Tensor:
    """Sums of the features (N, D) of each class, and in the last column how many: (C, D + 1).

    `members` (N, C) are booleans; a feature may belong to several classes.
    """
    counted = torch.cat([features.float(), features.new_ones(len(features), 1).float()], dim=1)
    return members.float().T @ counted


def class_means(features: Tensor, members: Tensor) -> Tensor:
    """Mean feature (C, D) of each class; zero for a class without any."""
    sums = class_sums(features, members)
    return sums[:, :-1] / sums[:, -1:].clamp(min=1)


def local_contrast(
    anchors: Tensor, labels: Tensor, own: Tensor, other: Tensor | None, temperature: float
) -> Tensor:
    """Sum over anchors of how far they are from the means of their class in two images.

    Chaitanya et al. With e(m) = exp(cos(anchor, m) / temperature), each anchor of class c adds
    -log(e(own_c) / sum), and the same with other_c, where the sum is over all means of both images.
    A class that an image lacks (a mean of zero) takes no part. Means learn, too.

    Args:
        anchors: (n, D).
        labels: Their classes (n,); `own` has a mean of each of them.
        own: Means (C, D) of the image that the anchors are of.
        other: Those of another image, or None: `own` alone.
        temperature: By which cosines are divided.
    """
    means = own if other is None else torch.cat([own, other])
    known = means.detach().any(1)
    directions = F.normalize(means.float(), dim=1)
    logits = F.normalize(anchors.float(), dim=1) @ directions.T / temperature
    whole = logits.masked_fill(~known, -torch.inf).logsumexp(1)
    total = logits.sum() * 0.0
    for start in range(0, len(means), len(own)):
        places = labels + start
        found = whole - logits.gather(1, places[:, None])[:, 0]
        total = total + found[known[places]].sum()
    return total


def class_ranks(probabilities: Tensor) -> Tensor:
    """At which place (from 0, the most probable) each class (N, C) stands."""
    return probabilities.argsort(dim=1, descending=True).argsort(dim=1)


def annotated_negatives(probabilities: Tensor, labels: Tensor, low: int) -> Tensor:
    """Of which classes (N, C) an annotated pixel is an example of what they are not.

    It has another label, and the class is among the first `low` that the teacher takes it for.
    """
    other = torch.arange(probabilities.shape[1], device=labels.device) != labels[:, None]
    return other & (class_ranks(probabilities) < low)


def unreliable_negatives(probabilities: Tensor, unsure: Tensor, low: int, high: int) -> Tensor:
    """The same of unlabeled pixels: unsure ones are examples of none of the unlikely classes.

    Unlikely: at the places `low` to `high` - 1 of the teacher's order.
    """
    ranks = class_ranks(probabilities)
    return unsure[:, None] & (ranks >= low) & (ranks < high)
