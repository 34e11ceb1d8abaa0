"""Weights by the effective number of samples, by hand."""

import pytest
import torch

from ssdet.thresholds import effective_number_weights


def test_two_classes_by_hand():
    """beta .999: .00158 for 1,000 samples and .1005 for 10, before they have a mean of 1."""
    counts = torch.tensor([1000.0, 10.0])
    raw = [0.0015815, 0.1004509]
    for over, mean in (
        ("classes", sum(raw) / 2),
        ("samples", (1000 * raw[0] + 10 * raw[1]) / 1010),
    ):
        found = effective_number_weights(counts, over=over)
        assert found.tolist() == pytest.approx([one / mean for one in raw], rel=1e-4)


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.0, [1, 1, 1]), (1.0, [6 / 11, 12 / 11, 15 / 11])]
)
def test_from_alike_to_the_inverse_of_the_number(beta, expected):
    """1/5, 2/5 and 1/2 have a mean of 11/30."""
    counts = torch.tensor([5.0, 2.5, 2.0])
    found = effective_number_weights(counts, beta, over="classes")
    assert found.tolist() == pytest.approx(expected)


def test_the_inverse_of_the_number_keeps_the_size_of_the_loss():
    """N / (C n), the "balanced" weights of other libraries: the loss is that of 9.5 samples."""
    counts = torch.tensor([5.0, 2.5, 2.0])
    found = effective_number_weights(counts, 1.0)
    assert found.tolist() == pytest.approx([9.5 / 15, 9.5 / 7.5, 9.5 / 6])
    assert (found * counts).sum() == pytest.approx(9.5)


def test_a_class_that_is_hardly_ever_seen_leaves_the_others_as_they_were():
    frequent, _, rare = effective_number_weights(torch.tensor([400.0, 400.0, 1.0]), 0.99)
    assert frequent > 0.8 and rare > 50


def test_a_class_without_samples_counts_as_one():
    found = effective_number_weights(torch.tensor([0.0, 1.0, 0.2]))
    assert found.tolist() == pytest.approx([1, 1, 1])
