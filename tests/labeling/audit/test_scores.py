"""Scores of labels and of images, against numbers worked out by hand."""

import numpy as np
import pytest

from ssdet.labeling.audit import (
    Boxes,
    contradiction,
    doubt,
    evidence,
    found_again,
    overlooked,
    rarity,
    rarity_weights,
    regions,
    robustness,
    suspects,
)
from ssdet.labeling.audit.boxes import typical_scores
from ssdet.labeling.audit.criteria import visible

HERE, HALF, AWAY = [0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]


def boxes(*entries, ignored=()):
    """Boxes of (corners, class, score)."""
    places, labels, scores = zip(*entries, strict=True) if entries else ((), (), ())
    regions_ = np.array(ignored, float).reshape(-1, 4)
    return Boxes(
        np.array(places, float).reshape(-1, 4), np.array(labels, int), np.array(scores, float),
        regions_,
    )  # fmt: skip


# ---------------------------------------------------------------------- labels of boxes


def test_a_swapped_class_has_the_support_of_another_one_less_its_own():
    found = evidence(boxes((HERE, 0, 1)), boxes((HERE, 1, 0.9), (HALF, 0, 0.4)))
    assert found.swapped.tolist() == pytest.approx([0.9 * 1.0 - 0.4 * 0.5])
    assert found.other.tolist() == [0]
    assert found.unsupported.tolist() == pytest.approx([0.1])


def test_what_counts_as_sure_is_what_the_network_usually_gives_to_a_class():
    given = [boxes((HERE, 0, 1), (AWAY, 1, 1)), boxes((HERE, 0, 1))]
    found = [boxes((HERE, 0, 0.4)), boxes((HERE, 0, 0.6), (AWAY, 0, 0.9))]
    usual = typical_scores(given, found, 2)
    assert usual.tolist() == pytest.approx([0.5, 0.5])  # class 1 is never found: as all
    weak = boxes((HERE, 0, 0.2))
    assert evidence(given[1], weak, usual).unsupported.tolist() == pytest.approx([1 - 0.2 / 0.5])
    assert evidence(given[1], found[1], usual).unsupported.tolist() == [0.0]


def test_a_badly_placed_box_has_its_object_beside_it():
    found = evidence(boxes((HERE, 0, 1)), boxes((HALF, 0, 0.8)))
    assert found.badly_placed.tolist() == pytest.approx([0.8 * (1 - 0.5)])
    assert found.swapped.tolist() == [0.0]


def test_a_prediction_that_lies_on_another_label_says_nothing_of_this_one():
    given = boxes((HERE, 0, 1), (HALF, 0, 1))
    found = evidence(given, boxes((HALF, 0, 0.8)))
    assert found.badly_placed.tolist() == pytest.approx([0.0, 0.0])


def test_an_overlooked_object_is_covered_by_no_label():
    given = boxes((HERE, 0, 1))
    found = overlooked(given, boxes((HERE, 0, 0.9), (AWAY, 1, 0.7)))
    assert found.tolist() == pytest.approx([0.0, 0.7])
    assert overlooked(boxes(), boxes((AWAY, 1, 0.7))).tolist() == pytest.approx([0.7])


def test_nothing_is_overlooked_where_nothing_was_to_be_labeled():
    crowd = boxes(ignored=[[45, 45, 65, 60]])  # all of it
    assert overlooked(crowd, boxes((AWAY, 1, 0.7))).tolist() == [0.0]


@pytest.mark.parametrize(
    ("given", "found", "kind", "score", "seen"),
    [
        (boxes((HERE, 0, 1)), boxes((HERE, 1, 0.9)), "swapped", 0.9, (0, 1)),
        (boxes((HERE, 0, 1)), boxes((HALF, 0, 0.9)), "badly placed", 0.45, (0, 0)),
        (boxes((HERE, 0, 1)), boxes(), "unsupported", 1.0, (0, None)),
        (boxes(), boxes((AWAY, 1, 0.6)), "overlooked", 0.6, (None, 1)),
    ],
)
def test_each_fault_is_named(given, found, kind, score, seen):
    (suspect,) = suspects(given, [found])
    assert (suspect.kind, suspect.given, suspect.suggested) == (kind, *seen)
    assert suspect.score == pytest.approx(score)


def test_a_confirmed_label_is_no_suspect():
    assert suspects(boxes((HERE, 0, 1)), [boxes((HERE, 0, 0.95))]) == []


def test_several_networks_count_in_the_mean():
    given, wrong, right = boxes((HERE, 0, 1)), boxes((HERE, 1, 0.9)), boxes((HERE, 0, 0.9))
    (suspect,) = suspects(given, [wrong, right, wrong])
    assert suspect.score == pytest.approx(0.6)
    assert (suspect.seen_by, suspect.judges) == (2, 3)
    near = [50, 50, 60, 59]  # the same object for another network
    (missed,) = suspects(boxes(), [boxes((AWAY, 1, 0.8)), boxes((near, 1, 0.4)), boxes()])
    assert missed.score == pytest.approx((0.8 + 0.4) / 3)
    assert missed.seen_by == 2


# ---------------------------------------------------------------------- label maps


def test_a_pixel_is_contradicted_by_how_much_more_probable_another_class_is():
    given = np.array([[0, 0, 1, 255]])
    probabilities = np.array([[[0.9, 0.2, 0.3, 0.1]], [[0.1, 0.8, 0.7, 0.9]]])
    margin, suggested = contradiction(given, probabilities)
    assert margin == pytest.approx(np.array([[0.0, 0.6, 0.0, 0.0]]))
    assert suggested.tolist() == [[0, 1, 1, 1]]


def test_a_region_is_found_and_a_thin_line_is_not():
    given = np.zeros((40, 40), int)
    probabilities = np.stack([np.full((40, 40), 0.9), np.full((40, 40), 0.1)])
    probabilities[:, 10:20, 5:13] = [[[0.2]], [[0.8]]]
    probabilities[:, 30, :] = [[0.1], [0.9]]  # one pixel high
    (found,) = regions(given, probabilities)
    assert (found.given, found.suggested, found.number) == (0, 1, 80)
    assert found.box == (5.0, 10.0, 13.0, 20.0)
    assert found.score == pytest.approx(0.6)
    assert found.mask.shape == (10, 8)
    assert found.mask.all()


# ---------------------------------------------------------------------- images


def test_robustness_is_the_mean_overlap_with_what_is_found_again():
    assert robustness([np.array([0.8]), np.array([0.6])]).tolist() == pytest.approx([0.7])
    mine, label = np.array([HERE], float), np.array([2])
    others = np.array([HALF, HERE], float)
    assert found_again(mine, label, others, np.array([2, 1])).tolist() == [0.5]
    assert found_again(mine, label, others, np.array([0, 1])).tolist() == [0.0]


def test_doubt_is_what_the_product_of_the_criteria_leaves():
    values = np.array([1.0, 0.5]), np.array([0.5, 1.0]), np.array([1.0, 0.2])
    assert doubt(*values) == pytest.approx(1 - (0.5 + 0.1) / 2)
    assert doubt(np.zeros(0)) == 1.0


def test_rarity_goes_with_the_logarithm_of_the_labels():
    weights = rarity_weights([99, 9, 0])
    assert weights.tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert rarity_weights([0, 0]).tolist() == [0.0, 0.0]
    # 1 - (1 - 0.5 * 0.8) (1 - 0.5 * 0.5) (1 - 0 * 0.9)
    found = rarity(np.array([1, 1, 0]), np.array([0.8, 0.5, 0.9]), weights)
    assert found == pytest.approx(0.55)


def test_what_is_around_a_box_is_hidden():
    shown = visible((100, 100), np.array([[20.0, 40.0, 60.0, 60.0]]))
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    assert (columns[0], columns[-1]) == (10, 69)  # a quarter of 40 at each side
    assert (rows[0], rows[-1]) == (35, 64)  # a quarter of 20
