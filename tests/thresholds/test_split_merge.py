"""Groups of features are split and merged, by hand."""

import math

import pytest
import torch

from ssdet.thresholds.split_merge import (
    LEAST,
    Prior,
    halves,
    k_means,
    reduced,
    split_gain,
    split_merge,
)


def blob(x, y, count=40, seed=0):
    """Features around a place, with a deviation of 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.tensor([float(x), float(y)]) + torch.randn(count, 2, generator=generator)


def blobs(*places, count=40):
    every = [blob(x, y, count, seed) for seed, (x, y) in enumerate(places)]
    return torch.cat(every), torch.arange(len(places)).repeat_interleave(count)


def same(labels, truth):
    """Whether two groupings are the same, whatever the groups are called."""
    pairs = set(zip(labels.tolist(), truth.tolist(), strict=True))
    return len(pairs) == len(labels.unique()) == len(truth.unique())


LINE = Prior(torch.zeros(1).double(), torch.eye(1).double(), strength=1.0, degrees=1.0)


def test_the_likelihood_of_one_and_of_two_numbers():
    """One number: a Cauchy distribution of scale sqrt(2), at 0: 1 / (pi sqrt 2).

    1 and -1: strength and degrees become 3, the scatter 1 + 2; 1 / (2 pi 9).
    """
    one = torch.zeros(1, 1).double()
    assert LINE.log_likelihood(one) == pytest.approx(-math.log(math.pi * math.sqrt(2)))
    two = torch.tensor([[1.0], [-1.0]]).double()
    assert LINE.log_likelihood(two) == pytest.approx(-math.log(18 * math.pi))


def test_what_a_split_gains():
    """The numbers above: (1 / 18 pi) against one number each of 1 and -1, where the scale counts.

    At 1 the distribution of one number is 1 / (pi sqrt 2 (1 + 1/2)).
    """
    one, other = torch.tensor([[1.0]]).double(), torch.tensor([[-1.0]]).double()
    alone = -math.log(math.pi * math.sqrt(2) * 1.5)
    assert split_gain(LINE, one, other) == pytest.approx(2 * alone + math.log(18 * math.pi))


def test_the_likelihood_of_a_whole_is_that_of_its_parts_in_turn():
    """p(a, b) = p(a) p(b | a), where p(b | a) has the prior that a has changed."""
    first, second = torch.tensor([[0.7]]).double(), torch.tensor([[-0.4]]).double()
    scatter = 1 + 0.5 * 0.7**2
    after = Prior(first[0] / 2, torch.eye(1).double() * scatter, 2.0, 2.0)
    both = LINE.log_likelihood(torch.cat([first, second]))
    assert both == pytest.approx(LINE.log_likelihood(first) + after.log_likelihood(second))


@pytest.mark.parametrize("start", [1, 3, 8])
def test_three_groups_are_found_from_any_start(start):
    features, truth = blobs((0, 0), (12, 0), (0, 12))
    found = split_merge(features, start=start)
    assert same(found.labels, truth)
    near = torch.cdist(found.centers, torch.tensor([[0.0, 0], [12, 0], [0, 12]]).double())
    assert near.amin(0).max() < 0.6


def test_two_in_one_group_are_split():
    features, truth = blobs((0, 0), (12, 0))
    found = split_merge(features)
    assert found.steps == [("split", 1, 2)] and same(found.labels, truth)


def test_one_in_two_groups_is_merged():
    found = split_merge(blob(3, 3, 80), start=2)
    assert found.steps == [("merge", 2, 1)] and not found.labels.any()


def test_a_group_that_is_long_stays_one():
    features = blob(0, 0, 200) * torch.tensor([5.0, 1.0])
    assert len(split_merge(features).centers) == 1


def test_known_classes_stay_and_the_rest_is_new():
    """Known: around (0, 0) and (12, 0). New: around (0, 12); the others look like the known."""
    features, truth = blobs((0, 0), (12, 0), (0, 12))
    known = torch.where(torch.arange(len(truth)) % 4 == 0, truth, -1)
    known[truth == 2] = -1
    found = split_merge(features, known, start=1)
    assert found.labels.equal(truth)


def test_features_of_two_known_classes_at_one_place_are_not_merged():
    features, _ = blobs((0, 0))
    known = torch.arange(len(features)) % 2
    known[-LEAST * 2 :] = -1
    features[-LEAST * 2 :] += 30
    found = split_merge(features, known)
    assert found.labels[: -2 * LEAST].equal(known[: -2 * LEAST])
    assert (found.labels[-2 * LEAST :] == 2).all()


def test_a_side_of_few_is_no_group():
    features = torch.cat([blob(0, 0, 40), blob(40, 0, LEAST - 1)])
    assert len(split_merge(features).centers) == 1
    features = torch.cat([blob(0, 0, 40), blob(40, 0, LEAST)])
    assert len(split_merge(features).centers) == 2


def test_halves_and_k_means_by_hand():
    features = torch.tensor([[0.0], [1.0], [10.0], [11.0]]).double()
    one, other = halves(features)
    assert sorted([one.flatten().tolist(), other.flatten().tolist()]) == [[0, 1], [10, 11]]
    labels, centers = k_means(features, torch.tensor([[0.0], [500.0], [10.0]]).double())
    assert labels.tolist() == [0, 0, 1, 1] and centers.flatten().tolist() == [0.5, 10.5]
    known = torch.tensor([0, -1, -1, 0])
    labels, _ = k_means(features, torch.tensor([[0.0], [10.0]]).double(), known)
    assert labels[[0, 3]].tolist() == [0, 0]


def test_equal_features_and_none():
    assert len(split_merge(torch.ones(50, 3), start=4).centers) == 1
    with pytest.raises(ValueError, match="0 to K - 1"):
        split_merge(torch.randn(4, 2), torch.tensor([1, -1, -1, 1]))


def test_the_main_components_of_directions():
    features = torch.tensor([[1.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 0.0]])
    found = reduced(features, 1).flatten()
    torch.testing.assert_close(found.abs(), torch.full((4,), 0.5**0.5).double())
    assert found[0] == found[1] != found[2]
    assert reduced(features, 9).shape == (4, 3)
