"""Queries beside the detector's own: what they may see, and how far two outputs are apart."""

import pytest
import torch

from ssdet.losses import beside_mask, direction_gap, distinct


def test_unit_vectors_that_are_orthogonal():
    one, other = torch.zeros(256), torch.zeros(256)
    one[0], other[1] = 3.0, 0.5
    assert 10 * direction_gap(one, other).item() == pytest.approx(0.078125)
    assert direction_gap(one, 7 * one).item() == pytest.approx(0.0, abs=1e-9)


def test_only_the_first_one_learns():
    one, other = (torch.randn(4, requires_grad=True) for _ in range(2))
    direction_gap(one, other).backward()
    assert one.grad is not None and other.grad is None


def test_who_sees_whom():
    """Two extra queries, two denoising ones of two groups, and two that are matched."""
    known = torch.zeros(4, 4, dtype=torch.bool)
    known[0, 1] = known[1, 0] = True
    known[2:, :2] = True
    seen = (~beside_mask(2, known)).int().tolist()
    assert seen == [
        [1, 1, 0, 0, 1, 1],
        [1, 1, 0, 0, 1, 1],
        [0, 0, 1, 0, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
    ]
    assert not known[0, 2] and known.shape == (4, 4)


@pytest.mark.parametrize(("other", "kept"), [((0.8, 0.6), True), ((0.96, 0.28), False)])
def test_a_query_too_much_like_a_better_one_is_left_out(other, kept):
    """Cosines of .8 and .96 with the first one; the third one is unlike both."""
    content = torch.tensor([(2.0, 0.0), other, (0.0, 1.0)])
    assert distinct(content, torch.tensor([0.9, 0.8, 0.7]), 0.9).tolist() == [True, kept, True]
    # The better one stays, wherever it stands.
    found = distinct(content, torch.tensor([0.7, 0.8, 0.6]), 0.9).tolist()
    assert found == [kept, True, True]


def test_only_what_is_kept_counts():
    """The third one is like the second, which is left out already."""
    angles = torch.tensor([0.0, 0.3, 0.6])
    content = torch.stack([angles.cos(), angles.sin()], 1)
    assert distinct(content, torch.tensor([3.0, 2.0, 1.0]), 0.9).tolist() == [True, False, True]
    assert distinct(content[:0], torch.zeros(0), 0.9).tolist() == []
