"""Mixtures of all classes at once, beside scikit-learn and by hand."""

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from ssdet.thresholds import fit_mixtures, mixture_thresholds


def reference(row):
    """One class with scikit-learn: the mixture, and the thresholds of both policies."""
    column = row.double().numpy()[:, None]
    mixture = GaussianMixture(
        2,
        weights_init=[0.5, 0.5],
        means_init=[[column.min()], [column.max()]],
        precisions_init=[[[1.0]], [[1.0]]],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(column)
    upper = mixture.predict(column) == 1
    if not upper.any():
        return mixture, 0.0, 0.0
    likely = np.where(upper, mixture.score_samples(column), -np.inf)
    return mixture, column[likely.argmax(), 0], column[upper].min()


def drawn(kind, classes=12, count=100):
    generator = torch.Generator().manual_seed(3)
    uniform = torch.rand(classes, count, generator=generator)
    if kind == "uniform":
        return uniform * 0.95 + 0.05
    if kind == "low":
        return uniform**4 * 0.95 + 0.05
    if kind == "narrow":
        return torch.where(uniform < 0.7, 0.3, 0.8) + uniform * 1e-3
    side = torch.rand(classes, count, generator=generator)
    return torch.where(side < 0.6, uniform * 0.3 + 0.05, 1 - uniform * 0.4)


@pytest.mark.parametrize("kind", ["two groups", "uniform", "low", "narrow"])
def test_every_class_is_as_with_scikit_learn(kind):
    scores = drawn(kind)
    # Of each class another number of scores is known; the others are empty slots of the queue.
    known = torch.arange(100) < torch.arange(len(scores))[:, None] * 8 + 5
    scores = scores.where(known, 0.0)
    fitted = fit_mixtures(scores, known)
    high, middle = mixture_thresholds(scores, "high"), mixture_thresholds(scores, "middle")
    for index, (row, mask) in enumerate(zip(scores, known, strict=True)):
        peer, peer_high, peer_middle = reference(row[mask])
        column = row[mask].double().numpy()[:, None]
        members = fitted.log_odds[index][mask].sigmoid()
        assert members.numpy() == pytest.approx(peer.predict_proba(column)[:, 1], abs=1e-3)
        likely = fitted.log_likelihood[index][mask]
        assert likely.numpy() == pytest.approx(peer.score_samples(column), abs=1e-3)
        assert fitted.means[:, index].numpy() == pytest.approx(peer.means_[:, 0], abs=1e-3)
        assert fitted.weights[:, index].numpy() == pytest.approx(peer.weights_, abs=1e-3)
        variances = fitted.variances[:, index].numpy()
        assert variances == pytest.approx(peer.covariances_[:, 0, 0], abs=1e-5)
        assert float(high[index]) == pytest.approx(peer_high, abs=1e-3)
        assert float(middle[index]) == pytest.approx(peer_middle, abs=1e-3)


def test_two_groups_by_hand():
    # Two triples far apart: means 0.2 and 0.8, variances 2/3 * 1e-4, plus the floor of 1e-6. (With
    # the usual tolerance EM stops long before: it starts on a plateau, as scikit-learn does.)
    scores = torch.tensor([[0.19, 0.2, 0.21, 0.79, 0.8, 0.81]])
    fitted = fit_mixtures(scores, scores > 0, tol=0.0)
    assert fitted.means[:, 0].tolist() == pytest.approx([0.2, 0.8], abs=1e-6)
    assert fitted.weights[:, 0].tolist() == pytest.approx([0.5, 0.5])
    assert fitted.variances[:, 0].tolist() == pytest.approx([2e-4 / 3 + 1e-6] * 2, rel=1e-4)
    top = math.log(0.5) - 0.5 * math.log(2 * math.pi * (2e-4 / 3 + 1e-6))
    assert float(fitted.log_likelihood[0, 4]) == pytest.approx(top, abs=1e-3)
    assert (fitted.log_odds > 0).tolist() == [[False] * 3 + [True] * 3]


def test_the_likeliest_score_is_never_below_the_lowest_one():
    scores = drawn("narrow")
    high, middle = mixture_thresholds(scores, "high"), mixture_thresholds(scores, "middle")
    assert (high >= middle).all() and (high > middle).any()
    for policy in (high, middle):  # a threshold is one of the scores
        assert (scores == policy[:, None]).any(1).all()


def test_the_order_and_empty_slots_do_not_matter():
    scores = drawn("two groups", classes=3)
    spread = torch.zeros(3, 250)
    spread[:, torch.randperm(250)[:100]] = scores
    assert torch.equal(mixture_thresholds(spread), mixture_thresholds(scores))


def test_a_class_does_not_see_the_others():
    scores = torch.cat([drawn(kind, 4) for kind in ("two groups", "uniform", "low")])
    alone = torch.cat([mixture_thresholds(row[None]) for row in scores])
    assert torch.equal(mixture_thresholds(scores), alone)


@pytest.mark.parametrize("policy", ["high", "middle"])
def test_degenerate_classes(policy):
    nan = math.nan
    scores = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # no score at all
            [0.9, 0.8, 0.7, 0.0, 0.0, 0.0],  # fewer than four
            [0.6, 0.6, 0.6, 0.6, 0.6, 0.0],  # all equal: they pass
            [nan, 0.9, nan, 0.8, nan, 0.7],  # fewer than four that are numbers
            [nan, 0.2, 0.2, 0.8, 0.8, math.inf],  # four
        ]
    )
    limits = mixture_thresholds(scores, policy, default=0.4)
    assert limits.tolist() == pytest.approx([0.4, 0.4, 0.6 - 1e-5, 0.4, 0.8])
    assert float(limits[2]) < 0.6


def test_a_class_without_a_member_of_the_upper_component():
    # Almost equal scores: both components lie on each other, and the odds are a little below 0.
    scores = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.5001]])
    mixture, _, _ = reference(scores[0])
    assert (mixture.predict(scores[0].double().numpy()[:, None]) == 0).all()
    assert mixture_thresholds(scores, default=0.37).tolist() == pytest.approx([0.37])


def test_no_classes():
    assert mixture_thresholds(torch.zeros(0, 10)).shape == (0,)


def test_many_scores_do_not_underflow():
    scores = drawn("two groups", classes=1, count=3000)
    _, high, _ = reference(scores[0])
    assert float(mixture_thresholds(scores)) == pytest.approx(high, abs=1e-3)
