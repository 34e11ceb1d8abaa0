"""Two thresholds of each class from the scores of an epoch, by hand."""

import pytest
import torch

from ssdet.thresholds import epoch_thresholds, mixture_thresholds


def test_by_hand():
    """Two clear groups; two scores; none. The rank: the usual number, or 99 %, if fewer."""
    own = [0.95, 0.9, 0.9, 0.85, 0.2, 0.15, 0.15, 0.12]
    scores = torch.tensor([*own, 0.4, 0.3])
    labels = torch.tensor([0] * 8 + [1] * 2)
    high, low = epoch_thresholds(scores, labels, torch.tensor([5.0, 9.0, 0.0]), low=0.1, high=0.6)
    (mixed,) = mixture_thresholds(torch.tensor([own]), "high").tolist()
    assert 0.85 <= mixed <= 0.95 and high.tolist() == pytest.approx([mixed, 0.6, 0.6])
    # The sixth of the first class; int(.99 * 2) = 1, the second of the other one.
    assert low.tolist() == pytest.approx([0.15, 0.3, 0.1])


def test_the_upper_threshold_is_never_below_the_lower_one():
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.long)
    high, low = epoch_thresholds(scores, labels, torch.tensor([1.0]), low=0.1, high=0.6)
    assert low.item() == pytest.approx(0.8) and high.item() == pytest.approx(0.8)


def test_equal_scores_all_pass():
    scores, labels = torch.full((5,), 0.7), torch.zeros(5, dtype=torch.long)
    high, low = epoch_thresholds(scores, labels, torch.tensor([5.0]), low=0.1, high=0.6)
    assert high.item() == low.item() == pytest.approx(0.7) and bool((scores >= high).all())


def test_no_score_at_all():
    high, low = epoch_thresholds(
        torch.zeros(0), torch.zeros(0, dtype=torch.long), torch.zeros(2), low=0.1, high=0.6
    )
    assert high.tolist() == pytest.approx([0.6] * 2) and low.tolist() == pytest.approx([0.1] * 2)
