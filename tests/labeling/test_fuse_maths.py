"""Fusion of boxes and of label maps: numbers worked out by hand."""

import numpy as np
import pytest

from ssdet.labeling.fuse_boxes import Boxes, fuse_boxes
from ssdet.labeling.fuse_maps import DawidSkene, majority, mean_probability, patterns


def boxes(*rows):
    """(corners, label, score, source) of each box."""
    corners, labels, scores, sources = zip(*rows, strict=True)
    return Boxes(
        np.array(corners, float), np.array(labels), np.array(scores, float), np.array(sources)
    )


PLACE = (0, 0, 10, 10)
TWO_OF_THREE = boxes((PLACE, 0, 0.9, 0), (PLACE, 0, 0.6, 1))
ONES = np.ones((3, 2))


def test_a_box_of_two_sources_of_three():
    fused = fuse_boxes(TWO_OF_THREE, ONES)
    assert fused.scores.tolist() == pytest.approx([0.5])  # (0.9 + 0.6) / 3
    assert fused.votes.tolist() == [2] and fused.leaders.tolist() == [0]


@pytest.mark.parametrize(("votes", "kept"), [(1, 1), (2, 1), (3, 0)])
def test_votes(votes, kept):
    fused = fuse_boxes(TWO_OF_THREE, ONES, mode="vote", votes=votes)
    assert len(fused.scores) == kept
    assert fused.scores.tolist() == pytest.approx([0.75] * kept)


def test_a_source_that_did_not_see_the_image_has_no_vote():
    present = np.array([True, True, False])
    assert fuse_boxes(TWO_OF_THREE, ONES, present=present).scores.tolist() == [0.75]
    fused = fuse_boxes(TWO_OF_THREE, ONES, mode="vote", votes=3, present=present)
    assert len(fused.scores) == 1


def test_reliability_weighs_scores_and_corners():
    found = boxes((PLACE, 0, 0.8, 0), ((0, 0, 12, 10), 0, 0.8, 1))
    fused = fuse_boxes(found, np.array([[1.0], [0.25]]))
    assert fused.corners[0].tolist() == pytest.approx([0, 0, 10.4, 10])  # (10 + 12 / 4) / 1.25
    assert fused.scores.tolist() == pytest.approx([0.8])  # (0.8 + 0.2) / 1.25


def test_union_has_each_object_once():
    found = boxes((PLACE, 0, 0.6, 0), ((0, 0, 11, 10), 0, 0.9, 1), ((30, 0, 40, 10), 0, 0.2, 2))
    fused = fuse_boxes(found, ONES, mode="union")
    assert fused.corners.tolist() == [[0, 0, 11, 10], [30, 0, 40, 10]]
    assert fused.scores.tolist() == [0.9, 0.2]


def test_classes_and_distant_boxes_stay_apart():
    found = boxes((PLACE, 0, 0.9, 0), (PLACE, 1, 0.9, 1), ((6, 0, 16, 10), 0, 0.9, 2))
    assert len(fuse_boxes(found, ONES).scores) == 3  # the IoU of the last is 4 / 16


def test_of_one_source_the_most_certain_box_of_an_object_counts():
    found = boxes((PLACE, 0, 0.9, 0), ((0, 0, 10, 11), 0, 0.8, 0))
    fused = fuse_boxes(found, ONES)
    assert fused.corners.tolist() == [list(PLACE)] and fused.scores.tolist() == pytest.approx([0.3])


def test_no_box():
    none = Boxes(np.zeros((0, 4)), *np.zeros((1, 0), int), np.zeros(0), np.zeros(0, int))
    assert len(fuse_boxes(none, ONES).scores) == 0


def test_majority_ties_and_unknown_pixels():
    maps = np.array([[[0, 0, 255, 1]], [[0, 1, 255, 255]], [[1, 2, 255, 255]]], np.uint8)
    assert majority(maps, np.ones((3, 3))).tolist() == [[0, 255, 255, 1]]
    trusted = np.array([[1.0] * 3, [2.0] * 3, [1.0] * 3])
    assert majority(maps, trusted).tolist() == [[0, 1, 255, 1]]


def test_mean_of_probabilities():
    one, other = np.array([[[0.9, 0.4]], [[0.1, 0.6]]]), np.array([[[0.3, 0.5]], [[0.7, 0.5]]])
    assert mean_probability([one, other], np.array([1.0, 1.0])).tolist() == [[0, 1]]
    assert mean_probability([one, other], np.array([1.0, 3.0])).tolist() == [[1, 1]]
    assert mean_probability([one, other], np.ones(2), min_score=0.58).tolist() == [[0, 255]]


def test_combinations_are_counted():
    maps = [np.array([[[0, 0, 1]], [[0, 0, 255]]], np.uint8), np.array([[[0]], [[0]]], np.uint8)]
    rows, counts = patterns(maps)
    assert {tuple(r): c for r, c in zip(rows.tolist(), counts.tolist(), strict=True)} == {
        (0, 0): 3,
        (1, 255): 1,
    }


def test_one_round_of_dawid_and_skene_by_hand():
    # Sources say (0, 0) twice and (0, 1) twice. Votes: P(0) = 1 and 1/2.
    model = DawidSkene(2, 2, smoothing=0.0)
    model._count(np.array([[0, 0], [0, 1]]), np.array([2.0, 2.0]), np.array([[1, 0], [0.5, 0.5]]))
    assert model.prior.tolist() == [0.75, 0.25]
    assert model.confusion[0, 0].tolist() == [1, 0] and model.confusion[0, 1].tolist() == [1, 0]
    assert model.confusion[1, 0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert model.confusion[1, 1].tolist() == [0, 1]
    # For (0, 1): 3/4 x 1 x 1/3 against 1/4 x 1 x 1.
    assert model.posterior(np.array([[0, 1]])).tolist() == [pytest.approx([0.5, 0.5])]


def test_dawid_and_skene_find_the_source_that_guesses():
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, 4000)
    rates = (0.9, 0.8, 0.7, 1 / 3)
    said = np.stack(
        [np.where(draw.random(4000) < r, truth, draw.integers(0, 3, 4000)) for r in rates[:3]]
        + [draw.integers(0, 3, 4000)],
        axis=1,
    )
    rows, counts = np.unique(said, axis=0, return_counts=True)
    model = DawidSkene(4, 3)
    model.fit(rows, counts.astype(float))
    expected = [rate + (1 - rate) / 3 for rate in rates[:3]] + [1 / 3]
    found = [np.diag(table).mean() for table in model.confusion]
    assert found == pytest.approx(expected, abs=0.05)
    fused = model.posterior(said).argmax(1)
    votes = np.stack([(said == c).sum(1) for c in range(3)], 1).argmax(1)
    assert (fused == truth).mean() > (votes == truth).mean()


def test_limits_of_dawid_and_skene():
    with pytest.raises(ValueError, match="classes=51"):
        DawidSkene(3, 51)
    with pytest.raises(ValueError, match="sources=1"):
        DawidSkene(1, 3)
