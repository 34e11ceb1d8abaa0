"""Contrast of pixels, by hand."""

import math

import pytest
import torch

from ssdet.losses import class_means, class_sums, cross_view_contrast, info_nce, local_contrast
from ssdet.losses.contrast import annotated_negatives, class_ranks, unreliable_negatives

# Classes in the order 3 1 4 0 2.
ORDER = torch.tensor([[0.15, 0.25, 0.05, 0.35, 0.2]])


def test_one_anchor_and_two_negatives():
    """a = (1, 0), positive (1, 0), negatives (0, 1), (1, 1)/sqrt 2, at .5: logits 2, 0, 1.4142."""
    anchors = torch.tensor([[3.0, 0.0]])  # only the direction counts
    negatives = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])
    loss = info_nce(anchors, torch.tensor([2.0, 0.0]), negatives, 0.5)
    assert loss.item() == pytest.approx(0.5259, abs=1e-4)
    both = info_nce(anchors.expand(2, 2), torch.tensor([[2.0, 0.0], [0.0, 1.0]]),
                    negatives.expand(2, 2, 2), 0.5)  # fmt: skip
    other = math.log(1 + 1 + math.exp(math.sqrt(2)))
    assert both.item() == pytest.approx((0.5259 + other) / 2, abs=1e-4)


def test_low_precision_and_gradient():
    anchors = torch.randn(3, 4, dtype=torch.bfloat16, requires_grad=True)
    loss = info_nce(anchors, torch.randn(4), torch.randn(3, 5, 4), 0.1)
    loss.backward()
    assert loss.dtype == torch.float32 and anchors.grad.any()


def test_sums_of_each_class():
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    members = torch.tensor([[True, False], [True, True], [False, False]])
    assert class_sums(features, members).tolist() == [[4, 6, 2], [3, 4, 1]]


def test_ranks():
    assert class_ranks(ORDER).tolist() == [[3, 1, 4, 0, 2]]


def test_an_annotated_pixel_is_an_example_against_what_it_is_taken_for():
    """Label 1, first two places 3 and 1: against 3 alone."""
    found = annotated_negatives(ORDER, torch.tensor([1]), 2)
    assert found.nonzero()[:, 1].tolist() == [3]


def test_an_unsure_pixel_is_an_example_against_unlikely_classes():
    """Places 2 and 3 of 3 1 4 0 2: against 4 and 0. A sure pixel is against none."""
    found = unreliable_negatives(ORDER.expand(2, 5), torch.tensor([True, False]), 2, 4)
    assert found.tolist() == [[True, False, False, False, True], [False] * 5]


THREE = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(("background", "expected"), [(1.0, 0.3133), (0.0, 0.0)])
def test_two_boxes_of_a_class_and_one_of_another(background, expected):
    """-log(e / (e + a)): the third one counts with the weight a, and has no partner itself."""
    weights = torch.tensor([1.0, 1.0, background])
    loss = cross_view_contrast(THREE, THREE, torch.tensor([0, 0, 3]), weights, 1.0)
    assert loss.item() == pytest.approx(expected, abs=1e-4)


def test_unsure_members_of_a_class_pull_fully():
    weights = torch.tensor([0.1, 0.1, 1.0])
    loss = cross_view_contrast(THREE, THREE, torch.tensor([0, 0, 3]), weights, 1.0)
    assert loss.item() == pytest.approx(0.3133, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_without_partners_the_contrast_is_zero_with_a_graph(count):
    strong = torch.randn(count, 4, requires_grad=True)
    labels = torch.arange(count)
    loss = cross_view_contrast(strong, torch.randn(count, 4), labels, torch.ones(count), 0.1)
    loss.backward()
    assert loss.item() == 0


def toward(cosine):
    """A direction with this cosine to (1, 0)."""
    return [cosine, math.sqrt(1 - cosine**2)]


def test_local_contrast_within_an_image():
    """Cosines .8 to the own mean, .5 and .2 to the others, at .1: ln(1 + e^-3 + e^-6)."""
    means = torch.tensor([toward(0.5), toward(0.8), toward(0.2)])
    anchor, label = torch.tensor([[7.0, 0.0]]), torch.tensor([1])
    found = local_contrast(anchor, label, means, None, 0.1)
    assert found.item() == pytest.approx(0.0509, abs=1e-4)


def test_local_contrast_across_images():
    """Own image: .8 and .5; the other one: class 0 is missing, class 1 at .6.

    Of class 1 (.5) ln(e^8 + e^5 + e^6) - 5 and - 6; of class 0 the second term is left out.
    """
    own = torch.tensor([toward(0.8), toward(0.5)])
    other = torch.tensor([[0.0, 0.0], toward(0.6)])
    anchors = torch.tensor([[1.0, 0.0]], requires_grad=True)
    whole = math.log(math.exp(8) + math.exp(5) + math.exp(6))
    found = local_contrast(anchors, torch.tensor([1]), own, other, 0.1)
    assert found.item() == pytest.approx(2 * whole - 11, abs=1e-4)
    found = local_contrast(anchors, torch.tensor([0]), own, other, 0.1)
    assert found.item() == pytest.approx(whole - 8, abs=1e-4)
    found.backward()
    assert anchors.grad.isfinite().all() and anchors.grad.any()


def test_means_of_classes_and_nothing_for_a_missing_one():
    members = torch.tensor([[True, False], [True, False]])
    found = class_means(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), members)
    assert found.tolist() == [[2.0, 4.0], [0.0, 0.0]]
