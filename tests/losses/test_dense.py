"""Losses of dense predictions, with numbers worked out by hand."""

import math

import pytest
import torch

from ssdet.losses import dense_boxes, dense_classes, dense_quality, quality_focal, richest


def logit(*probabilities):
    p = torch.tensor(probabilities, dtype=torch.float64)
    return torch.log(p / (1 - p))


@pytest.mark.parametrize(
    "p, q, value",
    [
        (0.3, 0.8, 0.25 * (-0.8 * math.log(0.3) - 0.2 * math.log(0.7))),  # 0.2586283
        (0.3, 0.0, -0.09 * math.log(0.7)),  # 0.0321007
        (0.2, 0.0, 0.0089257),
        (0.6, 0.8, 0.0236767),
        (0.8, 0.8, 0.0),
    ],
)
def test_quality_focal(p, q, value):
    assert quality_focal(logit(p), torch.tensor(q)).item() == pytest.approx(value, abs=1e-7)


def test_a_certain_student_that_is_wrong_has_a_finite_loss():
    logits = torch.tensor([60.0, -60.0], requires_grad=True)
    loss = quality_focal(logits, torch.tensor([0.0, 1.0])).sum()
    loss.backward()
    assert loss.item() == pytest.approx(120) and logits.grad.isfinite().all()


def test_classes_of_two_places_in_the_region_and_one_outside():
    """0.2586283 (p .3, q .8) + 0 (p = q = .3) + 0.0089257 (p .2, q suppressed), over .8 (+ .3)."""
    targets = torch.tensor([[0.8], [0.3], [0.2]], dtype=torch.float64)
    logits, first = logit(0.3, 0.3, 0.2)[:, None], torch.tensor([True, False, False])
    found = dense_classes(logits, targets, first)
    outside = 0.0321007 + 0.0089257
    assert found.item() == pytest.approx((0.2586283 + outside) / 0.8, abs=1e-6)
    both = dense_classes(logits, targets, torch.tensor([True, True, False]))
    assert both.item() == pytest.approx((0.2586283 + 0.0089257) / 1.1, abs=1e-6)


def test_all_classes_of_a_place_in_the_region_are_learned():
    """The second class of a rich place is a target too, and is in no normalizer."""
    targets = torch.tensor([[0.8, 0.3]], dtype=torch.float64)
    found = dense_classes(logit(0.3, 0.3)[None], targets, torch.tensor([True]))
    assert found.item() == pytest.approx(0.2586283 / 0.8, abs=1e-6)


@pytest.mark.parametrize(
    "places, share, count", [(150, 0.01, 1), (99, 0.01, 1), (100, 0.29, 29), (8, 1.0, 8)]
)
def test_the_region_is_a_share_of_the_places_and_never_empty(places, share, count):
    scores = torch.rand(places, generator=torch.Generator().manual_seed(0))
    mask = richest(scores, share)
    assert mask.sum() == count
    assert scores[mask].min() >= scores[~mask].max() if count < places else True


def test_the_padding_is_neither_counted_nor_chosen():
    scores = torch.tensor([[0.9, 0.5, 0.4, 0.1], [0.8, 0.3, 0.2, 0.0]])
    valid = torch.tensor([[False, True, True, True], [True, True, False, False]])
    assert richest(scores, 0.5, valid).tolist() == [
        [False, True, False, False],
        [True] + [False] * 3,
    ]
    assert richest(scores, 0.5).sum() == 4


def test_boxes_and_quality_are_means_over_the_region():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 1, 1]])
    truth = torch.tensor([[0.0, 0, 10, 10], [0, 0, 5, 10], [9, 9, 10, 10]])
    region = torch.tensor([True, True, False])
    assert dense_boxes(boxes, truth, region).item() == pytest.approx((0 + 0.5) / 2)
    inverted = truth[:, [2, 3, 0, 1]]
    assert dense_boxes(boxes.requires_grad_(), inverted, region).item() == 0
    quality = dense_quality(torch.tensor([0.0, 0.0, 9.0]), torch.tensor([0.7, 0.2, 0.0]), region)
    assert quality.item() == pytest.approx(math.log(2))
