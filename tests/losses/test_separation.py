"""Task separation, with numbers worked out by hand."""

import math

import pytest
import torch

from ssdet.losses.separation import joint_focal, joint_probability, place_targets, split_places


def logit(*probabilities):
    return torch.logit(torch.tensor(probabilities, dtype=torch.float64))


@pytest.mark.parametrize(
    "target, value",
    [
        (0.8, 0.25 * (-0.8 * math.log(0.3) - 0.2 * math.log(0.7))),  # p = .5 * .6 = .3
        (0.0, 0.75 * 0.09 * -math.log(0.7)),  # 0.0240756
        (0.3, 0.0),
    ],
)
def test_joint_focal(target, value):
    class_logits, quality = logit(0.5)[:, None], logit(0.6)
    targets = torch.tensor([[target]], dtype=torch.float64)
    found = joint_focal(class_logits, quality, targets)
    assert found.item() == pytest.approx(value, abs=1e-7)
    assert joint_probability(class_logits, quality).item() == pytest.approx(0.3)


def test_a_certain_head_has_a_finite_gradient_in_both_outputs():
    logits = torch.tensor([[40.0], [-40.0]], requires_grad=True)
    quality = torch.tensor([40.0, -40.0], requires_grad=True)
    joint_focal(logits, quality, torch.tensor([[0.0], [1.0]])).sum().backward()
    assert logits.grad.isfinite().all() and quality.grad.isfinite().all()
    assert logits.grad[1].item() < 0 and quality.grad[1].item() < 0


@pytest.mark.parametrize(
    "scores, positive, ambiguous",
    [
        ([0.9, 0.3, 0.2, 0.1], [0], [1, 2, 3]),  # mean + deviation .734, cut at .4
        ([0.22, 0.15, 0.11, 0.05], [0], [1, 2]),  # .2156776
        ([0.45, 0.41, 0.40, 0.12], [0, 1, 2], [3]),
        ([0.3, 0.01], [0], []),  # one candidate is its own limit
    ],
)
def test_positive_and_ambiguous_places(scores, positive, ambiguous):
    found = split_places(torch.tensor(scores))
    assert [mask.nonzero().flatten().tolist() for mask in found] == [positive, ambiguous]


def test_without_a_candidate_the_best_places_are_positive():
    scores = torch.arange(20) / 1000
    positive, ambiguous = split_places(scores, fallback=3)
    assert positive.nonzero().flatten().tolist() == [17, 18, 19] and not ambiguous.any()
    assert split_places(scores[:2], fallback=3)[0].all()  # fewer places than that


# A positive place, and an ambiguous one beside it whose box has an IoU of 64 / 136 = 0.47 with it.
JOINT = torch.tensor([[0.6, 0.0], [0.3, 0.2], [0.0, 0.05]])
BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 2, 12, 12], [50, 50, 60, 60]])
CENTERS = torch.tensor([[5.0, 5.0], [6.0, 6.0], [55.0, 55.0]])


def targets(levels=(0, 1, 0), overlap=0.4, joint=JOINT, centers=CENTERS):
    return place_targets(joint, BOXES, (centers, torch.tensor(levels)), overlap=overlap)


def test_classes_of_positive_ambiguous_and_other_places():
    found = targets()
    assert found.positive.tolist() == [True, False, False]
    assert torch.allclose(found.classes, torch.tensor([[0.6, 0.0], [0.3, 0.2], [0.0, 0.0]]))


def test_an_ambiguous_place_learns_the_box_of_the_positive_that_it_agrees_with():
    found = targets()
    assert found.located.tolist() == [True, True, False]
    assert torch.equal(found.boxes[1], BOXES[0])


@pytest.mark.parametrize(
    "change",
    [
        dict(levels=(0, 2, 0)),
        dict(overlap=0.6),
        dict(joint=torch.tensor([[0.6, 0.0], [0.2, 0.3], [0.0, 0.05]])),
        dict(centers=torch.tensor([[5.0, 5.0], [11.0, 6.0], [55.0, 55.0]])),
    ],
    ids=["two levels apart", "boxes overlap too little", "another class", "outside of the box"],
)
def test_a_place_that_does_not_agree_learns_no_box(change):
    assert targets(**change).located.tolist() == [True, False, False]


def test_several_positives_are_averaged_by_their_scores():
    """(0, 0, 10, 10) at .6 and (2, 2, 12, 12) at .42 for the box between them."""
    joint = torch.tensor([[0.6], [0.42], [0.2]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [2, 2, 12, 12], [1, 1, 11, 11]])
    places = torch.tensor([[5.0, 5.0]] * 3), torch.zeros(3, dtype=torch.long)
    found = place_targets(joint, boxes, places)
    shift = 2 * 0.42 / 1.02
    assert found.boxes[2].tolist() == pytest.approx([shift, shift, 10 + shift, 10 + shift])
