"""What features say about their classes: prototypes, and the labels of neighbors."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MINUS = -1.0  # the cosine with a class that has no feature yet: the lowest there is


def groups_of(features: Tensor, size: int) -> Tensor:
    """In which of ceil(N / size) groups each feature (N, D) is, each of `size` at most.

    SBCL (Hou et al., ICCV 2023) divides frequent classes into subclasses about as large as a rare
    class. Here by balanced halving: the features are sorted along the direction in which they
    differ most, and cut at a multiple of `size`; so is each part.
    """
    count = len(features)
    found = torch.zeros(count, dtype=torch.long, device=features.device)
    pieces = math.ceil(count / size)
    if pieces <= 1:
        return found
    direction = torch.linalg.svd(features - features.mean(0), full_matrices=False).Vh[0]
    order = (features @ direction).argsort()
    cut = (pieces // 2) * size
    for start, part in ((0, order[:cut]), (pieces // 2, order[cut:])):
        found[part] = start + groups_of(features[part], size)
    return found


def prototypes_of(features: Tensor, size: int | None = None) -> Tensor:
    """Means (G, D), of length 1, of a class's features; several with groups of `size`."""
    unit = F.normalize(features.float(), dim=-1)
    groups = groups_of(unit, size) if size else unit.new_zeros(len(unit), dtype=torch.long)
    count = int(groups.max()) + 1 if len(unit) else 0
    sums = unit.new_zeros(count, unit.shape[1]).index_add(0, groups, unit)
    return F.normalize(sums, dim=-1)


def class_cosines(features: Tensor, prototypes: list[Tensor]) -> Tensor:
    """Cosines (N, C) of features (N, D) with the nearest prototype (G, D) of each class.

    A class without a prototype has -1.
    """
    unit = F.normalize(features.float(), dim=-1)
    columns = [
        (unit @ own.to(unit).T).amax(1) if len(own) else unit.new_full((len(unit),), MINUS)
        for own in prototypes
    ]
    return torch.stack(columns, dim=1)


def prototype_labels(cosines: Tensor, known: Tensor, temperature: float = 0.1) -> Tensor:
    """Probabilities (N, C): softmax(cos / temperature) over the classes that are `known` (C,).

    PS-TTL (Gao et al., ACM MM 2024) has a temperature of 0.1. All zero if no class is known.
    """
    logits = (cosines / temperature).masked_fill(~known, -torch.inf)
    return logits.softmax(1).nan_to_num(0.0)


def margins(cosines: Tensor) -> Tensor:
    """How far (N,) the best class is ahead: s1 - s2, at least 0 (WAD: s1 (1 - s2 / s1))."""
    if cosines.shape[1] < 2:
        return cosines[:, 0].clamp(min=0)
    first, second = cosines.topk(2, dim=1).values.unbind(1)
    return (first - second.clamp(min=0)).clamp(min=0)


def propagated_labels(
    features: Tensor,
    probabilities: Tensor,
    bank: Tensor,
    labels: Tensor,
    *,
    neighbors: int = 16,
    temperature: float = 0.1,
    share: float = 0.1,
) -> Tensor:
    """Probabilities (N, C) that the labels of the nearest features of a bank smooth.

    SimMatchV2 (Zheng et al., ICCV 2023): of each feature and its nearest neighbors, the first row
    of (1 - a) (I - a A)^-1 Y. A are their cosines, divided by the temperature, as a softmax in
    each row, without the diagonal; Y are the probabilities and the labels; a is the `share`.

    Args:
        features: (N, D).
        probabilities: (N, C), of the features so far.
        bank: Labeled features (M, D).
        labels: (M,), classes.
        neighbors: At most so many of the bank are used.
        temperature, share: See above.
    """
    count = min(neighbors, len(bank))
    if not count or not len(features):
        return probabilities
    unit, known = F.normalize(features.float(), dim=-1), F.normalize(bank.float(), dim=-1)
    nearest = (unit @ known.T).topk(count, dim=1).indices
    nodes = torch.cat([unit[:, None], known[nearest]], dim=1)
    cosines = nodes @ nodes.transpose(1, 2) / temperature
    eye = torch.eye(count + 1, device=nodes.device)
    among = cosines.masked_fill(eye.bool(), -torch.inf).softmax(2)
    one_hot = F.one_hot(labels, probabilities.shape[1]).float()
    known_labels = torch.cat([probabilities.float()[:, None], one_hot[nearest]], dim=1)
    spread = torch.linalg.solve(eye - share * among, known_labels)
    return (1 - share) * spread[:, 0]
