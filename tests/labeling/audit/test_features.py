"""The maths of features, against numbers worked out by hand."""

import numpy as np
import pytest

from ssdet.labeling.audit import frechet_distance, k_center, nearest, shift
from ssdet.labeling.audit.features import standardized, unit

LINE = np.array([[0.0], [1.0], [5.0], [9.0]])


def test_k_center_takes_what_is_farthest_from_all_that_is_covered():
    chosen, distances = k_center(LINE, 3, known=np.array([[0.0]]))
    assert chosen == [3, 2, 1]
    assert distances == [9.0, 4.0, 1.0]  # 5 lies 4 from 9 and 5 from 0


def test_k_center_begins_with_the_most_typical_without_known_ones():
    chosen, distances = k_center(LINE, 2)  # the mean is 3.75, and 5 the nearest to it
    assert chosen == [2, 0]
    assert distances == [float("inf"), 5.0]


def test_k_center_weighs_distance_with_priority():
    need = np.array([1.0, 1.0, 1.0, 0.5])  # 9 * 0.5 is less than 5 * 1
    chosen, distances = k_center(LINE, 2, known=np.array([[0.0]]), priority=need)
    assert chosen == [2, 3]
    assert distances == [5.0, 4.0]


def test_k_center_takes_each_row_once_and_no_more_than_there_are():
    same = np.zeros((3, 2))
    chosen, distances = k_center(same, 9, known=same, priority=np.array([0.1, 0.9, 0.5]))
    assert chosen == [1, 2, 0]  # where all is covered, the need decides
    assert distances == [0.0, 0.0, 0.0]
    assert k_center(np.zeros((0, 2)), 3) == ([], [])


def test_nearest_is_the_distance_to_the_next_known_row():
    away, which = nearest(np.array([[0.0, 0.0], [6.0, 8.0]]), np.array([[3.0, 4.0], [6.0, 9.0]]))
    assert away.tolist() == [5.0, 1.0]
    assert which.tolist() == [0, 1]


def test_nobody_is_his_own_neighbor():
    away, which = nearest(LINE, LINE, themselves=True)
    assert away.tolist() == [1.0, 1.0, 4.0, 4.0]
    assert which.tolist() == [1, 0, 1, 2]


def test_frechet_distance_of_two_lines():
    # Means 0 and 3, deviations 1 and 2: 3^2 + (2 - 1)^2.
    assert frechet_distance(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])) == 10.0


def test_frechet_distance_of_turned_clouds():
    # Covariances diag(4, 1) and diag(1, 4): 10 - 2 tr((diag(4, 4))^0.5) = 10 - 8.
    cross = np.array([[2.0, 1.0], [-2.0, -1.0], [2.0, -1.0], [-2.0, 1.0]])
    assert frechet_distance(cross, cross[:, ::-1]) == pytest.approx(2.0)
    assert frechet_distance(cross, cross) == pytest.approx(0.0, abs=1e-9)


def test_a_shift_is_told_from_chance():
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(40, 8)), draw.normal(size=(60, 8))
    alike, apart = shift(one, other), shift(one, other + 1.5)
    assert alike.share > 0.05
    assert apart.share < 0.02
    assert apart.distance > 3 * apart.by_chance
    # 8 directions, each 1.5 apart.
    assert apart.distance == pytest.approx(8 * 1.5**2, rel=0.25)


def test_unit_features_have_length_one():
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_features_are_counted_in_deviations_of_the_known_ones():
    known = np.array([[0.0, 5.0, 1.0], [2.0, 5.0, 1.0]])  # deviations 1, 0, 0
    found = standardized(np.array([[4.0, 5.02, 1.0]]), known)
    assert found == pytest.approx(np.array([[3.0, 2.0, 0.0]]))
