"""Deviations of the sides of a box, with numbers worked out by hand."""

import math

import pytest
import torch

from ssdet.losses import certainty, listening_loss, listens, sides_likelihood


def test_certainty():
    found = certainty(torch.tensor([-2.0, -1.0, 0.0]))
    assert found.tolist() == pytest.approx([0.8807971, 0.7310586, 0.5])


def test_the_likelihood_of_four_equal_errors():
    """sigma .5, error .2: .04 / .5 + log .5 = -.6131472 for each side; + 2 log 2 pi."""
    found = sides_likelihood(torch.full((1, 4), 0.2), torch.zeros(1, 4))
    assert found.item() == pytest.approx(4 * (0.08 + math.log(0.5)) + 2 * math.log(2 * math.pi))
    assert found.item() == pytest.approx(1.2231654, abs=1e-6)


def test_the_best_deviation_is_the_error():
    """d/dsigma of e^2 / 2 s^2 + log s is 0 at s = e."""
    logit = torch.logit(torch.tensor([[0.2] * 4])).requires_grad_()
    sides_likelihood(torch.full((1, 4), 0.2), logit).sum().backward()
    assert logit.grad.abs().max() < 1e-6


def test_a_very_sure_head_has_a_finite_loss():
    logits = torch.full((1, 4), -30.0, requires_grad=True)
    loss = sides_likelihood(torch.zeros(1, 4), logits).sum()
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


@pytest.mark.parametrize(
    "teacher, student, chosen",
    [
        (-2.0, -1.0, True),  # .881 against .731
        (-1.5, -1.0, False),  # .818 is above .8 and not above .831
        (-1.0, 0.0, False),  # .731 is above .6 and not above .8
    ],
)
def test_a_side_is_chosen_where_the_teacher_is_surer(teacher, student, chosen):
    given = torch.tensor([teacher]), torch.tensor([student])
    assert listens(*given, margin=0.1, least=0.8).item() is chosen


def test_the_listening_loss_is_a_mean_over_chosen_sides():
    errors = torch.tensor([[1.0, -2.0, 3.0, 4.0], [5.0, 6.0, 7.0, -8.0]])
    chosen = torch.tensor([[True, True, False, False], [False, False, False, True]])
    weights = torch.tensor([1.0, 0.5])
    assert listening_loss(errors, chosen, weights).item() == pytest.approx((1 + 2 + 4) / 3)
    assert listening_loss(errors, torch.zeros_like(chosen), weights) == 0
