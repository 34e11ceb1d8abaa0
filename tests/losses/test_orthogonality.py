"""The spectral distance from orthogonality, by hand."""

import pytest
import torch

from ssdet.losses.orthogonality import orthogonality


def converged(weight, steps=60):
    return orthogonality(weight, torch.tensor([0.8, 0.6]), steps)


def test_by_hand():
    """W = diag(2, 1): W^T W - I = diag(3, 0)."""
    value, vector = converged(torch.diag(torch.tensor([2.0, 1.0])))
    assert value.item() == pytest.approx(3.0)
    assert vector.abs().tolist() == pytest.approx([1.0, 0.0], abs=1e-6)


def test_the_smaller_side_of_a_kernel_counts():
    """(2, 1, 1, 3): two rows of three; their products are 9 - 1 and 1 - 1."""
    weight = torch.tensor([[3.0, 0, 0], [0, 1.0, 0]]).view(2, 1, 1, 3)
    assert converged(weight)[0].item() == pytest.approx(8.0)


def test_an_orthonormal_matrix_costs_nothing_and_has_a_finite_gradient():
    weight = torch.eye(2).requires_grad_()
    value, vector = converged(weight)
    value.backward()
    assert (
        value.item() == 0
        and weight.grad.isfinite().all()
        and vector.norm().item() == pytest.approx(1)
    )


def test_a_step_along_the_gradient_lowers_it():
    torch.manual_seed(0)
    weight = torch.randn(4, 2).requires_grad_()
    value, _ = converged(weight)
    value.backward()
    assert converged(weight - 0.01 * weight.grad)[0] < value


def test_half_precision_does_not_round_it():
    """diag(1.01, 1): 1.01^2 - 1."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, _ = converged(torch.diag(torch.tensor([1.01, 1.0])))
    assert value.item() == pytest.approx(0.0201, rel=1e-3)
