"""Sharpening, agreement of decoders and the Dice distance, by hand."""

import pytest
import torch

from ssdet.losses import mutual_consistency, sharpened_pair, soft_dice


def maps(*columns):
    """Probabilities of the pixels (each one a tuple over the classes) as (1, C, 1, N)."""
    return torch.tensor(columns).T[None, :, None]


EVERY = torch.ones(1, 1, 1, dtype=torch.bool)


def test_each_class_is_sharpened_against_all_others():
    found = sharpened_pair(torch.tensor([0.6, 0.55, 0.5, 0.7, 0.0, 1.0]), 0.1)
    expected = torch.tensor([0.98295, 0.88150, 0.5, 0.99979, 0.0, 1.0])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_two_decoders():
    """(.6, .4) and (.7, .3): both ordered pairs together .23990."""
    pair = [maps((0.6, 0.4)), maps((0.7, 0.3))]
    assert mutual_consistency(pair, EVERY, 0.1).item() == pytest.approx(0.23990, abs=1e-5)


def test_three_decoders_have_six_pairs():
    same = [maps((0.6, 0.4))] * 3
    distance = 0.98295 - 0.6  # to what another one sharpens
    found = mutual_consistency(same, EVERY, 0.1).item()
    assert found == pytest.approx(6 * distance**2, abs=1e-4)


def test_padding_does_not_count():
    pair = [maps((0.6, 0.4), (0.1, 0.9)), maps((0.7, 0.3), (0.9, 0.1))]
    valid = torch.tensor([[[True, False]]])
    assert mutual_consistency(pair, valid, 0.1).item() == pytest.approx(0.23990, abs=1e-5)
    assert mutual_consistency(pair, ~valid & valid, 0.1) == 0


@pytest.mark.parametrize("detach", [True, False])
def test_the_gradient_through_the_targets_is_a_choice(detach):
    one = maps((0.6, 0.4)).requires_grad_()
    other = maps((0.7, 0.3)).requires_grad_()
    mutual_consistency([one, other], EVERY, 0.1, detach=detach).backward()
    # d/dp of ((p - sharp(q))^2 for both classes) / 2 = p - sharp(q) with a detached target
    alone = 0.6 - 0.99979
    assert (one.grad[0, 0, 0, 0].item() == pytest.approx(alone, abs=1e-4)) is detach


def test_the_distance_of_two_predictions():
    """(.8, .2) and (.6, .4): 1 - .96 and 1 - .8, mean .12."""
    found = soft_dice(maps((0.8, 0.2)), maps((0.6, 0.4)), EVERY)
    assert found.item() == pytest.approx(0.12, abs=1e-6)
    assert soft_dice(maps((0.8, 0.2)), maps((0.8, 0.2)), EVERY).item() == pytest.approx(0, abs=1e-6)
    assert soft_dice(maps((0.8, 0.2)), maps((0.6, 0.4)), ~EVERY).item() == pytest.approx(
        0, abs=1e-6
    )
