"""Thresholds from the precision on labels that the teacher was not trained on."""

from __future__ import annotations

import torch
from torch import Tensor

CORRELATION = 0.2  # of the labels of an image: whether they are right depends on the image, too
STRENGTHS, UNKNOWN = (2.0, 50.0), 10.0  # of the prior that the other classes make
FEWEST, SLACK = 5.0, 0.05  # labels that count in `choose`, and how far they may stay below


def lower_bound(
    right: Tensor, count: Tensor, *, risk: float = 0.1, prior: tuple[Tensor | float, ...] = (1, 1)
) -> Tensor:
    """A precision that the true one exceeds with probability 1 - `risk`.

    The quantile of Beta(a + right, b + count - right), where (a, b) is the prior: (1, 1) knows
    nothing, and (0, 1) is the bound of Clopper and Pearson. Numbers may be fractions.
    """
    from scipy.special import betaincinv  # slow to import, and few methods need it

    hits, misses = prior[0] + right.double(), prior[1] + (count - right).double()
    bound = torch.as_tensor(betaincinv(hits.numpy(), misses.numpy(), risk))
    return torch.where(hits > 0, bound, 0.0)


def effective(
    right: Tensor, count: Tensor, images: Tensor, *, correlation: float = CORRELATION
) -> tuple[Tensor, Tensor]:
    """The numbers that independent labels would have: those of one image resemble each other.

    Both are divided by 1 + (m - 1) * `correlation` with m labels in each of the `images` that have
    any. With a correlation of 1 the labels of an image are worth one.
    """
    mean = count / images.clamp(min=1)
    inflation = 1.0 + (mean - 1.0).clamp(min=0.0) * correlation
    return right / inflation, count / inflation


def prior_strength(right: Tensor, count: Tensor) -> float:
    """How many labels of its own the precision of the other classes is worth to a class.

    (1 - r) / r within [2, 50], where r is the correlation within the classes (C,), by an analysis
    of variance: where all classes are alike it is 50, and where they differ much it is 2. One
    class, or too few labels to tell, gives 10.
    """
    seen = count > 0
    hits, sizes = right[seen].double(), count[seen].double()
    kinds, total = len(sizes), float(sizes.sum())
    if kinds < 2 or total - kinds < FEWEST:
        return UNKNOWN
    precision, overall = hits / sizes, hits.sum() / total
    between = float((sizes * (precision - overall).square()).sum()) / (kinds - 1)
    within = float((sizes * precision * (1 - precision)).sum()) / (total - kinds)
    size = (total - float(sizes.square().sum()) / total) / (kinds - 1)
    spread = between + (size - 1) * within
    alike = (between - within) / spread if spread > 0 else 0.0
    low, high = STRENGTHS
    return high if alike <= 0 else min(max((1 - alike) / alike, low), high)


def precision_of_others(right: Tensor, count: Tensor) -> Tensor:
    """For each class (C,) the precision of all other classes together.

    Where the others have no label it is that of all, and one half where nobody has any. Of n labels
    it is not nearer to 0 or 1 than 1 / (n + 2): nothing is certain.
    """
    hits, sizes = right.sum() - right, count.sum() - count
    alone = sizes <= 0
    hits, sizes = torch.where(alone, right.sum(), hits), torch.where(alone, count.sum(), sizes)
    edge = 1.0 / (sizes + 2.0)
    share = torch.where(sizes > 0, hits / sizes.clamp(min=1e-9), 0.5)
    return torch.minimum(torch.maximum(share, edge), 1.0 - edge)


def pooled_precision(
    right: Tensor, count: Tensor, *, risk: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and lower bound of the precision (C, G), and the largest strength of a prior (G,).

    Each class at each of G thresholds has a prior of the other classes at that threshold, so a
    class with few labels is judged by them, and one with many by its own. A prior is not worth more
    labels than it comes from: a rare class must not decide about a frequent one.
    """
    means, bounds, strengths = [], [], []
    for hits, sizes in zip(right.T.double(), count.T.double(), strict=True):
        strength, others = prior_strength(hits, sizes), precision_of_others(hits, sizes)
        of_others = sizes.sum() - sizes
        known = torch.where(of_others > 0, of_others, sizes).clamp(min=1.0)
        worth = known.clamp(max=strength)
        prior = (worth * others, worth * (1 - others))
        means.append((prior[0] + hits) / (worth + sizes))
        bounds.append(lower_bound(hits, sizes, risk=risk, prior=prior))
        strengths.append(strength)
    return torch.stack(means, 1), torch.stack(bounds, 1), torch.tensor(strengths)


def score_grid(
    scores: Tensor, labels: Tensor, points: int = 20, *, truths: Tensor | None = None
) -> Tensor:
    """At most that many thresholds (G,), rising: quantiles of scores in which classes weigh alike.

    Where the objects of each class (C,) are known, only its best labels count, twice as many as
    objects: of a detector's many weak boxes nearly all quantiles would lie far below any threshold.
    The grid does not depend on which labels are right, which keeps the bounds true at each of them.
    """
    if not len(scores):
        return torch.zeros(0)
    if truths is not None:
        most = (2 * truths).clamp(min=int(FEWEST))
        falling = scores.argsort(descending=True, stable=True)
        best = [falling[labels[falling] == kind][: int(n)] for kind, n in enumerate(most)]
        scores, labels = scores[torch.cat(best)], labels[torch.cat(best)]
    order = scores.argsort()
    kinds, counts = labels.unique(return_counts=True)
    share = (1.0 / counts.double())[torch.searchsorted(kinds, labels)] / len(kinds)
    reached = share[order].cumsum(0)
    wanted = torch.arange(points, dtype=torch.float64) / points
    places = torch.searchsorted(reached, wanted + 1e-9, right=True).clamp(max=len(scores) - 1)
    return scores[order][places].unique()


def choose(bounds: Tensor, means: Tensor, count: Tensor, grid: Tensor, target: float) -> Tensor:
    """The lowest threshold (C,) of the grid whose bound reaches the target; inf if none does.

    All (C, G) belong to a rising grid (G,). At no stricter threshold that at least 5 labels exceed
    (`count`) may the mean be further than 0.05 below the target: a single good value is luck.
    """
    if not len(grid):
        return torch.full((len(bounds),), torch.inf)
    low = (means < target - SLACK) & (count >= FEWEST)
    stricter_fail = low.flip(1).cumsum(1).flip(1) > 0
    passing = (bounds >= target) & ~stricter_fail
    first = passing.double().argmax(1)
    return torch.where(passing.any(1), grid[first].double(), torch.inf).float()


def moved(before: Tensor | None, now: Tensor, *, limit: float = 0.1) -> Tensor:
    """Half of the way from the thresholds before, at most `limit`; inf comes and goes at once."""
    if before is None:
        return now
    steady = before.isfinite() & now.isfinite()
    step = ((now - before) / 2).clamp(-limit, limit)
    return torch.where(steady, before + step, now)


def counts_above(
    scores: Tensor, labels: Tensor, right: Tensor, images: Tensor, grid: Tensor, classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Right labels, labels, and images with any, at or above each threshold: (C, G) each."""
    above = (scores[:, None] >= grid).double()
    kinds = (labels == torch.arange(classes)[:, None]).double()
    shape = (classes, int(images.max()) + 1 if len(images) else 0)
    best = torch.full(shape, -1.0).flatten()
    best.scatter_reduce_(0, labels * shape[1] + images, scores.float(), "amax")
    seen = (best.reshape(*shape, 1) >= grid.float()).double().sum(1)
    return kinds @ (above * right[:, None]), kinds @ above, seen
