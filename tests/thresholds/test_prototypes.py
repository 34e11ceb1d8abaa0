"""Prototypes and neighbors, by hand."""

import pytest
import torch

from ssdet.thresholds import (
    class_cosines,
    groups_of,
    margins,
    propagated_labels,
    prototype_labels,
    prototypes_of,
)

ALL = torch.tensor([True, True, True])


def test_soft_labels_by_hand():
    """e^9, e^7 and e^1 over their sum."""
    found = prototype_labels(torch.tensor([[0.9, 0.7, 0.1]]), ALL)
    assert found[0].tolist() == pytest.approx([0.8805, 0.1192, 0.0003], abs=1e-4)


def test_a_class_without_a_prototype_has_no_share():
    known = torch.tensor([True, False, True])
    found = prototype_labels(torch.tensor([[0.9, 0.9, 0.9]]), known)
    assert found[0].tolist() == pytest.approx([0.5, 0, 0.5])
    assert prototype_labels(torch.tensor([[0.9, 0.9, 0.9]]), ~ALL).tolist() == [[0, 0, 0]]


def test_margin_by_hand():
    cosines = torch.tensor([[0.8, 0.6, 0.2], [0.5, -0.9, -1.0], [-0.2, -0.3, -1.0]])
    assert margins(cosines).tolist() == pytest.approx([0.2, 0.5, 0.0])
    assert margins(torch.tensor([[0.7], [-0.1]])).tolist() == pytest.approx([0.7, 0.0])


def test_prototypes_are_means_of_directions():
    found = prototypes_of(torch.tensor([[2.0, 0.0], [0.0, 5.0]]))
    assert found[0].tolist() == pytest.approx([0.7071, 0.7071], abs=1e-4)
    assert prototypes_of(torch.zeros(0, 3)).shape == (0, 3)


def test_a_large_class_is_divided_into_groups_of_the_size_of_a_small_one():
    torch.manual_seed(0)
    groups = groups_of(torch.randn(100, 6), 20)
    assert torch.bincount(groups).tolist() == [20] * 5
    assert torch.bincount(groups_of(torch.randn(45, 6), 20)).tolist() == [20, 20, 5]
    assert groups_of(torch.randn(20, 6), 20).tolist() == [0] * 20
    clusters = torch.tensor([[0.0, 0.1], [9.0, 0.0], [0.0, 0.2], [9.0, 0.3]])
    one, two, three, four = groups_of(clusters, 2).tolist()
    assert one == three and two == four and one != two


def test_the_nearest_of_several_prototypes_counts():
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = class_cosines(torch.tensor([[0.0, 3.0]]), [two, torch.tensor([[0.6, 0.8]]), two[:0]])
    assert found[0].tolist() == pytest.approx([1.0, 0.8, -1.0])


def test_one_neighbor_by_hand():
    """A = ((0, 1), (1, 0)), a = .1: of the own label 1 / 1.1, of the neighbor's .1 / 1.1."""
    found = propagated_labels(
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[0.3, 0.9]]),
        torch.tensor([1]),
    )
    assert found[0].tolist() == pytest.approx([0.9091, 0.0909], abs=1e-4)


def test_neighbors_are_those_that_are_near_and_sums_stay_one():
    bank = torch.tensor([[1.0, 0.1], [0.0, -1.0], [1.0, -0.1]])
    probabilities = torch.tensor([[0.4, 0.6]])
    found = propagated_labels(
        torch.tensor([[1.0, 0.0]]), probabilities, bank, torch.tensor([0, 1, 0]), neighbors=2
    )
    assert found.sum().item() == pytest.approx(1.0) and found[0, 0] > 0.4
    none = propagated_labels(torch.ones(1, 2), probabilities, bank[:0], torch.zeros(0).long())
    assert torch.equal(none, probabilities)
