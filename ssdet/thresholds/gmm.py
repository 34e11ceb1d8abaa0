"""Mixtures of two Gaussians in one dimension, fitted for all classes at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

MixturePolicy = Literal["high", "middle"]
TIE = 1e-5  # how far below the only score the threshold lies, where all scores are equal
_EPS = 10 * torch.finfo(torch.float64).eps  # what scikit-learn adds to the size of a component


@dataclass
class Mixture:
    """Two Gaussians for each of C rows of scores; component 1 started at the highest score.

    `weights`, `means` and `variances` are (2, C). `log_odds` (C, N) are those of component 1: a
    score belongs to it where they are above 0, and their sigmoid is the membership.
    `log_likelihood` (C, N) is that of each score in the whole mixture.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor
    log_odds: Tensor
    log_likelihood: Tensor


def mixture_thresholds(
    scores: Tensor,
    policy: MixturePolicy = "high",
    *,
    default: float = 0.0,
    min_scores: int = 4,
) -> Tensor:
    """The threshold (C,) of each class from its scores (C, N): the rule of Consistent-Teacher.

    `high`: the score of component 1 that the mixture finds most likely. `middle`: the lowest score
    of component 1. An entry that is not above 0 or not finite is empty. A class with fewer than
    `min_scores` scores, or without one in component 1, gets `default`; a class whose scores are
    all equal gets a little less than that score, so that it passes.
    """
    known = (scores > 0) & scores.isfinite()
    fitted = fit_mixtures(scores, known)
    upper = known & (fitted.log_odds > 0)
    if policy == "high":
        best = fitted.log_likelihood.where(upper, -math.inf).argmax(1, keepdim=True)
        chosen = scores.gather(1, best)[:, 0]
    else:
        chosen = scores.where(upper, math.inf).amin(1)
    limits = chosen.where(upper.any(1), default)
    lowest, highest = _extremes(scores, known)
    limits = torch.where(lowest == highest, highest - TIE, limits)
    return limits.where(known.sum(1) >= min_scores, default)


@torch.inference_mode()
def fit_mixtures(
    scores: Tensor,
    known: Tensor,
    *,
    tol: float = 1e-3,
    max_iter: int = 100,
    floor: float = 1e-6,
) -> Mixture:
    """Expectation and maximization; each row as scikit-learn's `GaussianMixture` would do it alone.

    The start has equal weights, means at the lowest and the highest score, and precisions 1. A row
    stops once its mean log-likelihood changes by less than `tol`; `floor` is added to variances.
    A row without a known score gets finite values without a meaning.
    """
    # Apple's GPUs have no double precision; in single precision small variances are less exact.
    kind = torch.float32 if scores.device.type == "mps" else torch.float64
    everything = sums = _Sums.of(scores.where(known, 0.0).to(kind), known)
    means = torch.stack(_extremes(scores.to(kind), known))
    count = sums.total[0].clamp(min=1.0)
    logs = _log_densities(count.expand_as(means) / 2, means, torch.ones_like(means))
    result, rows = logs.clone(), torch.arange(len(scores), device=scores.device)
    allowed, previous = tol * count, torch.full_like(count, -math.inf)
    moving = torch.ones_like(known[:, 0])
    # To ask how many rows still move, the host waits for a GPU: there it rarely does.
    interval = 1 if scores.device.type == "cpu" else 8
    for iteration in range(1, max_iter + 1):
        log_odds = _log_odds(logs, sums.basis)
        share = log_odds.sigmoid()
        likelihood = (logs[:, 0] * sums.basis_total).sum(0) + _sum_softplus(log_odds, share)
        upper = (sums.powers * share).sum(-1)
        updated = _maximized(torch.stack([sums.total - upper, upper], 1), floor)
        logs = torch.where(moving, updated, logs)
        moving = moving & ((likelihood - previous).abs_() >= allowed)
        previous = likelihood
        left = int(moving.sum()) if iteration % interval == 0 else len(rows)
        if 2 * left <= len(rows):  # continue with the rows that move, in smaller tensors
            result[:, :, rows] = logs
            keep = moving.nonzero()[:, 0]
            rows, logs, sums = rows[keep], logs[:, :, keep], sums.select(keep)
            allowed, previous, moving = allowed[keep], previous[keep], moving[keep]
        if not left:
            break
    result[:, :, rows] = logs
    return _described(result, everything)


@dataclass
class _Sums:
    """What the iterations need of the scores x: powers 1, x, x^2 (3, C, N), and their sums (3, C).

    Where a score is not known all are 0. `basis` is 1/2, x and -x^2/2.
    """

    powers: Tensor
    total: Tensor
    basis: Tensor
    basis_total: Tensor

    @classmethod
    def of(cls, x: Tensor, known: Tensor) -> _Sums:
        powers = torch.stack([known.to(x.dtype), x, x * x])
        basis = powers * powers.new_tensor([0.5, 1.0, -0.5])[:, None, None]
        return cls(powers, powers.sum(-1), basis, basis.sum(-1))

    def select(self, rows: Tensor) -> _Sums:
        return _Sums(*(value[:, rows] for value in vars(self).values()))


def _extremes(scores: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest known score of each row; 0 where none is known."""
    some = known.any(1)
    lowest = scores.where(known, math.inf).amin(1).where(some, 0.0)
    return lowest, scores.where(known, -math.inf).amax(1).where(some, 0.0)


def _log_densities(sizes: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """The logarithms of size times Gaussian, as coefficients (3, 2, C) of 1/2, x and -x^2/2.

    The constant log(2 pi) / 2 is left out.
    """
    precisions = variances.reciprocal()
    linear = means * precisions
    constant = torch.addcmul((sizes * sizes).mul_(precisions).log_(), means, linear, value=-1)
    return torch.stack([constant, linear, precisions])


def _log_odds(logs: Tensor, basis: Tensor) -> Tensor:
    """Of component 1, for each score (C, N); 0 where a score is not known."""
    lower, upper = logs.unbind(1)
    return ((upper - lower)[..., None] * basis).sum(0)


def _sum_softplus(z: Tensor, share: Tensor) -> Tensor:
    """The sum over a row of log(1 + e^z) = max(z, 0) - log max(s, 1 - s), s = sigmoid(z).

    Each factor is at least 1/2: the product of some hundreds is far from underflow, and one
    logarithm for each row is enough. (Scores that are not known add log 2 each: the same in
    every iteration.)
    """
    peaks = torch.maximum(share, 1.0 - share)
    logs = peaks.prod(1).log_() if z.shape[1] <= 500 else peaks.log_().sum(1)
    return z.clamp(min=0.0).sum(1).sub_(logs)


def _maximized(moments: Tensor, floor: float) -> Tensor:
    """The log densities that fit the sums of 1, x and x^2 over each component (3, 2, C)."""
    sizes = moments[0] + _EPS
    means, squares = (moments[1:] / sizes).unbind()
    return _log_densities(sizes, means, torch.addcmul(squares + floor, means, means, value=-1))


def _described(logs: Tensor, sums: _Sums) -> Mixture:
    """The mixtures in the usual terms, and the log odds and likelihood of each score."""
    variances = logs[2].reciprocal()
    means = logs[1] * variances
    sizes = (0.5 * (logs[0] + means * logs[1])).exp() * variances.sqrt()
    total = sizes.sum(0)
    log_odds = _log_odds(logs, sums.basis)
    likely = (logs[:, 0, :, None] * sums.basis).sum(0) + F.softplus(log_odds)
    scale = (total * math.sqrt(2 * math.pi)).log()[:, None]
    return Mixture(sizes / total, means, variances, log_odds, likely - scale)
