"""Losses of RAIL, by hand."""

import math

import pytest
import torch

from ssdet.losses import dice_loss, disagreement_focused, flatten_confidence, sharpen, squared_error

# One image of four pixels, two classes: P(foreground) = .9, .6, .2, .4
PROBABILITIES = torch.tensor([[[[0.1, 0.4, 0.8, 0.6]], [[0.9, 0.6, 0.2, 0.4]]]])
LABELS = torch.tensor([[[1, 0, 0, 1]]])
VALID = torch.ones(1, 1, 4, dtype=torch.bool)


def test_sharpening():
    found = sharpen(torch.tensor([[[0.6]], [[0.4]]]).movedim(0, 0)[None], 0.5)[0, :, 0, 0]
    assert found.tolist() == pytest.approx([0.36 / 0.52, 0.16 / 0.52])
    sharp = sharpen(torch.tensor([[[[0.6]], [[0.4]]]]), 0.1)[0, :, 0, 0]
    assert sharp[0].item() == pytest.approx(0.6**10 / (0.6**10 + 0.4**10), abs=1e-5)
    certain = sharpen(torch.tensor([[[[1.0]], [[0.0]]]]), 0.1)
    assert certain.isfinite().all() and certain[0, 0].item() == pytest.approx(1)


def test_only_pixels_of_disagreement_count():
    # The network says 1 1 0 0, the instructor 1 0 0 1: they differ at the pixels 2 and 4, where the
    # network is wrong both times. Squares .6^2 and .6^2; divergences -ln .4 and -ln .4.
    instructor = torch.tensor([[[1, 0, 0, 1]]])
    found = disagreement_focused(PROBABILITIES, LABELS, instructor, VALID)
    assert found.item() == pytest.approx(0.5 * 0.36 + 0.05 * -math.log(0.4))


def test_the_best_network_looks_at_every_pixel():
    # Squares .01, .36, .04, .36; wrong at the pixels 2 and 4.
    found = disagreement_focused(PROBABILITIES, LABELS, None, VALID)
    assert found.item() == pytest.approx(0.5 * 0.77 / 4 + 0.05 * -math.log(0.4))


def test_a_disagreement_that_is_right_has_no_error_term():
    instructor = torch.tensor([[[0, 1, 0, 0]]])  # differs at the first pixel alone
    found = disagreement_focused(PROBABILITIES, LABELS, instructor, VALID, error=10.0)
    assert found.item() == pytest.approx(0.5 * 0.01)


def test_full_agreement_is_zero_with_a_graph_and_padding_does_not_exist():
    probabilities = PROBABILITIES.clone().requires_grad_()
    agreed = disagreement_focused(probabilities, LABELS, PROBABILITIES.argmax(1), VALID)
    assert agreed.item() == 0
    agreed.backward()
    padded = torch.tensor([[[1, 255, 255, 255]]])
    found = disagreement_focused(PROBABILITIES, padded, None, padded != 255)
    assert found.item() == pytest.approx(0.5 * 0.01)


def test_three_classes():
    probabilities = torch.tensor([0.5, 0.3, 0.2]).view(1, 3, 1, 1)
    found = disagreement_focused(
        probabilities, torch.tensor([[[2]]]), torch.tensor([[[1]]]), VALID[..., :1]
    )
    # ((.5)^2 + (.3)^2 + (.8)^2) / 3 = .98 / 3
    assert found.item() == pytest.approx(0.5 * 0.98 / 3 - 0.05 * math.log(0.2))


def test_confidence_is_flattened_where_networks_disagree():
    mask = torch.tensor([[[True, False, False, False]]])
    # KL((.5, .5) || (.1, .9)) = -ln 2 - (ln .1 + ln .9) / 2
    expected = -math.log(2) - 0.5 * (math.log(0.1) + math.log(0.9))
    assert flatten_confidence(PROBABILITIES, mask).item() == pytest.approx(expected)
    assert flatten_confidence(torch.full((1, 4, 1, 1), 0.25), mask[..., :1]).item() == (
        pytest.approx(0, abs=1e-6)
    )
    assert flatten_confidence(PROBABILITIES, torch.zeros_like(VALID)).item() == 0


def test_squared_error_of_two_classes_is_that_of_the_foreground():
    target = torch.tensor([[[[0.0] * 4], [[1.0] * 4]]])
    expected = (0.1**2 + 0.4**2 + 0.8**2 + 0.6**2) / 4
    assert squared_error(PROBABILITIES, target, VALID).item() == pytest.approx(expected)


def test_dice_of_label_maps():
    predicted = torch.tensor([[[1, 1, 0, 0]]])
    # Foreground: 2 * 1 / (2 + 2)
    assert dice_loss(predicted, LABELS, 2, VALID).item() == pytest.approx(0.5)
    assert dice_loss(LABELS, LABELS, 2, VALID).item() == 0
    nothing = torch.zeros_like(LABELS)
    assert dice_loss(nothing, nothing, 2, VALID).item() == 0
    assert dice_loss(nothing, LABELS, 2, torch.zeros_like(VALID)).item() == 0
    # Classes 1 and 2: 2 * 1 / 2 and 2 * 1 / (1 + 2)
    three = dice_loss(torch.tensor([[[1, 2, 0, 0]]]), torch.tensor([[[1, 2, 2, 0]]]), 3, VALID)
    assert three.item() == pytest.approx(1 - (1 + 2 / 3) / 2)
