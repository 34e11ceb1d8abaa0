"""Consistency voting: weights by hand, and that they reach the box loss alone."""

from types import SimpleNamespace

import pytest
import torch

from ssdet.hooks import ConsistencyVotingHook
from ssdet.losses.assignment import voted_weights

from ...families.detectors import small_config
from ...helpers import build_pair
from .test_prediction_guided import Says, pair, run


def test_weights_by_hand():
    """u of .8 and .4, one positive each: .64 and .16, times 1.2 / .8."""
    found = voted_weights(torch.tensor([3, 7]), torch.tensor([0.8, 0.4]))
    assert found.tolist() == pytest.approx([0.96, 0.24])
    # Two positives of one box have its mean: .6 each, and .36 * 1.2 / .72.
    found = voted_weights(torch.tensor([3, 3]), torch.tensor([0.8, 0.4]))
    assert found.tolist() == pytest.approx([0.6, 0.6])


@pytest.mark.parametrize("ious", [(), (0.0, 0.0)])
def test_nothing_agrees(ious):
    found = voted_weights(torch.zeros(len(ious), dtype=torch.long), torch.tensor(ious))
    assert found.tolist() == list(ious)


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
def test_a_box_on_which_all_agree_keeps_its_loss_up_to_the_mean_overlap(family):
    """With one box for all positives, the weights are u^2 * (sum u / sum u^2) = u."""
    boxes = Says((4, 4, 40, 40))
    one = run(pair(boxes, family=family), unsup=1)
    two = run(pair(boxes, ConsistencyVotingHook(), family=family), unsup=1)
    stages = [""] if family == "faster_rcnn" else ["s0.", "s1.", "s2."]
    for stage in stages:
        assert torch.equal(one[f"unsup_{stage}loss_cls"], two[f"unsup_{stage}loss_cls"])
        assert one[f"sup_{stage}loss_bbox"] == two[f"sup_{stage}loss_bbox"]
    share = two[f"unsup_{stages[0]}loss_bbox"] / one[f"unsup_{stages[0]}loss_bbox"]
    assert 0.1 < share < 1.0
    if len(stages) == 1:
        assert share.item() == pytest.approx(two["voting/agreement"].item(), rel=1e-4)


def test_boxes_of_two_images_have_votes_of_their_own():
    """The first box of each image, with one positive: overlaps of .8 and .4."""

    class Head:
        def regress_by_class(self, priors, labels, moves, meta):
            return moves

    def sampled(negatives):
        goal = torch.tensor([[0.0, 0, 10, 10]])
        return SimpleNamespace(
            pos_priors=goal, neg_priors=goal.repeat(negatives, 1), pos_gt_bboxes=goal,
            pos_gt_labels=torch.tensor([0]), pos_assigned_gt_inds=torch.tensor([0]),
            weights=SimpleNamespace(box=torch.tensor([0.5])),
        )  # fmt: skip

    results = [sampled(2), sampled(1)]
    said = torch.tensor([[0.0, 0, 10, 8], *[[0, 0, 0, 0]] * 2, [0, 0, 4, 10], [0, 0, 0, 0]])
    agreement = ConsistencyVotingHook()._vote(Head(), said, results, [{}, {}])
    assert agreement.item() == pytest.approx(0.6)
    weights = [result.weights.box.item() for result in results]
    assert weights == pytest.approx([0.5 * 0.96, 0.5 * 0.24])


def test_others_are_refused():
    with pytest.raises(TypeError, match="ConsistencyVotingHook: compares boxes of proposals"):
        build_pair(small_config("gfl")).attach(ConsistencyVotingHook())
    with pytest.raises(ValueError, match="power=-1"):
        ConsistencyVotingHook(power=-1)
