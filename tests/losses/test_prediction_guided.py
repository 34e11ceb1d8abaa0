"""Which proposals learn a box, by the teacher's opinion of them: by hand."""

import pytest
import torch

from ssdet.losses.assignment import prediction_guided

IOUS = torch.tensor([[0.9], [0.8], [0.6], [0.45], [0.3]])
CHANCES = torch.tensor([[0.2], [0.9], [0.9], [0.9], [1.0]])


def test_the_best_of_the_bag_as_many_as_its_overlaps():
    """2.75 are two; qualities are .4242641, .8485281, .7348469, .6363961: the second and third."""
    assert prediction_guided(IOUS, CHANCES).tolist() == [-1, 0, 0, -1, -1]


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        (dict(alpha=0.0), [0, 0, -1, -1, -1]),  # overlap alone
        (dict(topk=1), [-1, 0, -1, -1, -1]),  # .9 is none, and at least one learns
        (dict(bag_iou=0.7), [-1, 0, -1, -1, -1]),  # 1.7 is one
        (dict(bag_iou=0.95), [-1] * 5),
    ],
)
def test_settings(settings, chosen):
    assert prediction_guided(IOUS, CHANCES, **settings).tolist() == chosen


def test_a_proposal_is_in_the_bag_of_the_box_it_overlaps_most():
    ious = torch.tensor([[0.6, 0.7], [0.5, 0.2]])
    assert prediction_guided(ious, torch.ones(2, 2)).tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(0, 2), (3, 0)])
def test_nothing_to_assign(shape):
    assert prediction_guided(torch.zeros(shape), torch.zeros(shape)).tolist() == [-1] * shape[0]
