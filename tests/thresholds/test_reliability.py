"""How far another source is believed: numbers worked out by hand."""

import pytest
import torch

from ssdet.thresholds.reliability import bin_of, likelihoods, pooled, posterior, shrunken


def test_counts_are_drawn_to_the_class_and_to_all_classes():
    right = torch.tensor([[8.0, 0.0], [0.0, 0.0]])
    total = torch.tensor([[10.0, 0.0], [2.0, 0.0]])
    found = shrunken(right, total, strength=4, prior=0.5)
    overall = 10 / 16  # (8 + 4 * 0.5) / (12 + 4)
    first, second = (8 + 4 * overall) / 14, (4 * overall) / 6
    assert found[0].tolist() == pytest.approx([(8 + 4 * first) / 14, first])
    assert found[1].tolist() == pytest.approx([(4 * second) / 6, second])


def test_a_single_bin_is_the_class():
    found = shrunken(torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0], [0.0]]))
    assert found.flatten().tolist() == pytest.approx([0.68, 0.6])  # all: 3/5; one: (1 + 2.4) / 5


def test_without_a_count_it_is_the_prior():
    nothing = torch.zeros(3, 5)
    assert shrunken(nothing, nothing, prior=0.3).unique().tolist() == pytest.approx([0.3])


def test_bins_of_scores():
    assert bin_of(torch.tensor([0.0, 0.19, 0.2, 0.99, 1.0]), 5).tolist() == [0, 0, 1, 4, 4]


@pytest.mark.parametrize(
    ("source", "teacher", "found", "expected"),
    [(0.9, 0.0, 0.0, 0.9), (0.9, 0.0, 1.0, 0.45), (0.9, 0.8, 1.0, 0.85), (0.6, 0.9, 0.5, 0.7)],
)
def test_a_teacher_that_finds_nothing_has_no_say(source, teacher, found, expected):
    one = pooled(torch.tensor([source]), torch.tensor([teacher]), found)
    assert one.tolist() == pytest.approx([expected])


def test_likelihoods():
    counts = torch.tensor([[8.0, 2.0], [1.0, 9.0], [0.0, 0.0]])
    assert likelihoods(counts, strength=0).isnan()[2].all()  # which is why there is a strength
    found = likelihoods(counts, strength=10)
    shares = [9 / 20, 11 / 20]
    assert found[0].tolist() == pytest.approx([(8 + 4.5) / 20, (2 + 5.5) / 20])
    assert found[2].tolist() == pytest.approx(shares)
    assert found.sum(1).tolist() == pytest.approx([1.0] * 3)


def test_the_rule_of_bayes_and_unknown_labels():
    likelihood = torch.tensor([[0.8, 0.2], [0.1, 0.9]])
    probabilities = torch.tensor([0.6, 0.4]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    found = posterior(probabilities, torch.tensor([[[0, 1, 255]]]), likelihood)
    first, second = 0.6 * 0.8 / (0.6 * 0.8 + 0.4 * 0.1), 0.6 * 0.2 / (0.6 * 0.2 + 0.4 * 0.9)
    assert found[0, 0, 0].tolist() == pytest.approx([first, second, 0.6])
    assert found.sum(1).flatten().tolist() == pytest.approx([1.0] * 3)


def test_a_source_that_is_independent_of_the_truth_changes_nothing():
    counts = torch.tensor([[6.0, 3.0], [2.0, 1.0]])
    probabilities = torch.tensor([0.7, 0.3]).view(1, 2, 1, 1)
    for label in (0, 1):
        found = posterior(probabilities, torch.tensor([[[label]]]), likelihoods(counts))
        assert found.flatten().tolist() == pytest.approx([0.7, 0.3], abs=1e-5)
