"""The contrast of denoising queries with the names of their classes, by hand."""

import math

import pytest
import torch

from ssdet.losses.queries import text_contrast

HALF = [0.5, math.sqrt(0.75)]  # a cosine of 1/2 with (1, 0)


def test_one_box_by_hand():
    """s+ = .5, s- = 0, tau = .5: log(1 + e^-1)."""
    found = text_contrast(
        torch.tensor([[2.0, 0]]), torch.tensor([[HALF]]), torch.tensor([[[0.0, 3]]]), 0.5
    )
    assert found.shape == (1, 1) and found.item() == pytest.approx(0.3132617, abs=1e-6)


def test_the_noise_of_a_group_repels_all_its_boxes():
    """Two boxes of other names; group 0 has noise at 0 and at 1 from the first name."""
    texts = torch.tensor([[1.0, 0], [0.0, 1]])
    found = torch.tensor([[HALF, [0.0, 1]], [[1.0, 0], [0.0, 1]]])
    noise = torch.tensor([[[0.0, 1], [1.0, 0]], [[0.0, -1], [0.0, -1]]])
    loss = text_contrast(texts, found, noise, 1.0)
    e = math.e
    expected = [
        [math.log(1 + (1 + e) / math.exp(0.5)), math.log(1 + (1 + e) / e)],
        [math.log(1 + 2 / e), math.log(1 + 2 / e**2)],
    ]
    assert loss.flatten().tolist() == pytest.approx([x for row in expected for x in row])
