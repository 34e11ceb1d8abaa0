"""SemiETS's weights, by hand."""

import pytest
import torch

from ssdet.thresholds.task_agreement import cross_weights, relative_distance


def test_distance_by_hand():
    """Centers (5, 5) and (8, 9), 5 apart; the box around both is 13 x 14."""
    found = relative_distance(torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[3.0, 4, 13, 14]]))
    assert found.item() == pytest.approx(5 / (13**2 + 14**2) ** 0.5)
    same = torch.tensor([[1.0, 1, 2, 2]])
    assert relative_distance(same, same).item() == 0


def test_weights_by_hand():
    """1 + .6 - .1 = 1.5 and 1 + .2 - .7 = .5, whose mean is 1; boxes 1 + 2 (1 - p)."""
    cls, box = cross_weights(
        torch.tensor([1.0, 0.25]), torch.tensor([0.6, 0.2]), torch.tensor([0.1, 0.7]), 2.0
    )
    assert cls.tolist() == pytest.approx([1.5, 0.5])
    assert box.tolist() == pytest.approx([1.0, 2.5])


def test_equal_weights_leave_the_loss():
    cls, _ = cross_weights(torch.ones(3), torch.full((3,), 0.4), torch.full((3,), 0.2), 1.0)
    assert cls.tolist() == pytest.approx([1, 1, 1])
    assert len(cross_weights(*[torch.zeros(0)] * 3, 1.0)[0]) == 0
