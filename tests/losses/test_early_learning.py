"""ELR's regularizer, by hand."""

import pytest
import torch

from ssdet.losses import early_learning


def test_by_hand():
    """t = (.59, .41), p = (.8, .2): <t, p> = .554."""
    p = torch.tensor([[0.8, 0.2]], requires_grad=True)
    loss = early_learning(p, torch.tensor([[0.59, 0.41]]))
    assert loss.item() == pytest.approx(-0.8074, abs=1e-4)
    loss.sum().backward()
    # -t / (1 - <t, p>): the class that both prefer rises most.
    assert p.grad[0].tolist() == pytest.approx([-0.59 / 0.446, -0.41 / 0.446], rel=1e-4)


def test_it_is_finite_where_both_are_certain():
    p = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = early_learning(p, torch.tensor([[1.0, 0.0]]))
    loss.sum().backward()
    assert loss.isfinite().all() and p.grad.isfinite().all()
