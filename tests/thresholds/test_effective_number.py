"""Weights by the effective number of samples, by hand."""

import pytest
import torch

from ssdet.thresholds import effective_number_weights


def test_two_classes_by_hand():
    """beta .999: .00158 for 1,000 samples and .1005 for 10, before they have a mean of 1."""
    found = effective_number_weights(torch.tensor([1000.0, 10.0]))
    mean = (0.0015815 + 0.1004509) / 2
    assert found.tolist() == pytest.approx([0.0015815 / mean, 0.1004509 / mean], rel=1e-4)


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.0, [1, 1, 1]), (1.0, [6 / 11, 12 / 11, 15 / 11])]
)
def test_from_alike_to_the_inverse_of_the_number(beta, expected):
    """1/5, 2/5 and 1/2 have a mean of 11/30."""
    counts = torch.tensor([5.0, 2.5, 2.0])
    assert effective_number_weights(counts, beta).tolist() == pytest.approx(expected)


def test_a_class_without_samples_counts_as_one():
    found = effective_number_weights(torch.tensor([0.0, 1.0, 0.2]))
    assert found.tolist() == pytest.approx([1, 1, 1])
