"""Several queries for each box, by hand."""

import pytest
import torch

from ssdet.losses import OneToManyLoss, aligned_focal, claimed
from ssdet.losses.set_prediction import BoxTargets

WHOLE = (0.5, 0.5, 1.0, 1.0)


def logit(*chances):
    return torch.logit(torch.tensor(chances))


def target(*boxes, labels=None, cls=1.0, box=1.0, regions=()):
    count = len(boxes)
    return BoxTargets(
        labels=torch.tensor(labels or [0] * count, dtype=torch.long),
        boxes=torch.tensor(boxes).reshape(-1, 4),
        cls_weight=torch.full((count,), cls),
        box_weight=torch.full((count,), box),
        regions=torch.tensor(regions).reshape(-1, 4),
    )


def same(value):
    return value


RULE = OneToManyLoss((2.0, 5.0, 2.0))
# Both lie in the box, which is the image: overlaps of .8 and .5.
BOXES = torch.tensor([[[0.4, 0.5, 0.8, 1.0], [0.5, 0.75, 1.0, 0.5]]])
LOGITS = logit(0.5, 0.9)[None, :, None]


def test_the_target_of_a_query_is_its_share_of_the_best_fit():
    """.5 * .8^6 = .131072 and .9 * .5^6 = .0140625; the best one has the largest overlap, .8."""
    targets = [target(WHOLE)]
    matches = RULE.match(LOGITS, BOXES, targets)
    assert [one.tolist() for one in matches[0]] == [[0, 1], [0, 0]]
    goals = RULE.goals(LOGITS, BOXES, targets, matches)
    assert goals.tolist() == pytest.approx([0.8, 0.0858307], rel=1e-5)


def test_the_class_loss_by_hand():
    logits, goals = logit(0.6, 0.3), torch.tensor([0.8, 0.0])
    found = aligned_focal(logits, goals)
    assert found.tolist() == pytest.approx([0.0236767, 0.0321007], rel=1e-4)


def test_all_losses_by_hand():
    """Goals .8 and .0858307, which sum up to less than one: divided by one."""
    found = RULE(LOGITS, BOXES, [target(WHOLE)], same)
    goals = torch.tensor([0.8, 0.0858307])
    classes = aligned_focal(logit(0.5, 0.9), goals).sum()
    assert found["cls"].item() == pytest.approx(2 * classes.item(), rel=1e-4)
    # Centers and sides differ by .1 + .2 and by .25 + .5; an inner box has the overlap as GIoU.
    assert found["bbox"].item() == pytest.approx(5 * (0.3 * 0.8 + 0.75 * 0.0858307), rel=1e-4)
    assert found["iou"].item() == pytest.approx(2 * (0.2 * 0.8 + 0.5 * 0.0858307), rel=1e-4)


def test_weights_reach_what_they_weigh_and_no_normalizer():
    plain = RULE(LOGITS, BOXES, [target(WHOLE)], lambda total: total * 4)
    other = RULE(LOGITS, BOXES, [target(WHOLE, cls=0.5, box=0.25)], lambda total: total * 4)
    assert other["cls"].item() == pytest.approx(0.5 * plain["cls"].item())
    for name in ("bbox", "iou"):
        assert other[name].item() == pytest.approx(0.25 * plain[name].item())


def test_a_query_without_a_box_in_a_region_learns_nothing():
    """The box is met by no query, so both are background."""
    far, region = (0.95, 0.05, 0.02, 0.02), [(0.0, 0.4, 1.0, 1.0)]  # most of both queries
    one, other = (RULE(LOGITS, BOXES, [target(far, regions=r)], same)["cls"] for r in ((), region))
    background = aligned_focal(logit(0.5, 0.9), torch.zeros(2))
    assert one.item() == pytest.approx(2 * background.sum().item(), rel=1e-5)
    assert other.item() == pytest.approx(0.0)


def test_a_box_claims_its_best_and_the_larger_overlap_decides():
    fit = torch.tensor([[0.9, 0.8], [0.5, 0.0], [0.4, 0.3]])
    ious = torch.tensor([[0.6, 0.7], [0.5, 0.9], [0.2, 0.1]])
    query, box = claimed(fit, ious, 2)
    # The first is wanted by both; the second by the first box alone, since a fit of 0 claims
    # nothing; the third by the second box, whose other claims are the first and none.
    assert query.tolist() == [0, 1, 2] and box.tolist() == [1, 0, 1]


@pytest.mark.parametrize("queries", [0, 2])
def test_no_box_is_a_loss_of_background(queries):
    logits, boxes = LOGITS[:, :queries], BOXES[:, :queries]
    found = RULE(logits.clone().requires_grad_(), boxes, [target()], same)
    expected = 2 * aligned_focal(logits, torch.zeros_like(logits)).sum()
    assert found["cls"].item() == pytest.approx(expected.item())
    assert found["bbox"].item() == found["iou"].item() == 0


def test_more_boxes_than_queries():
    boxes = [(0.2 * n, 0.2, 0.1, 0.1) for n in range(1, 5)]
    found = RULE(LOGITS, BOXES, [target(*boxes)], same)
    assert all(value.isfinite() for value in found.values())
