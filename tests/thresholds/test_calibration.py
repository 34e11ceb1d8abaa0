"""Bounds, pooling and the choice of thresholds, with numbers worked out by hand."""

import pytest
import torch

from ssdet.thresholds import average_precision, mean_average_precision
from ssdet.thresholds.calibration import (
    choose,
    effective,
    lower_bound,
    moved,
    pooled_precision,
    precision_of_others,
    prior_strength,
    score_grid,
)

INF = float("inf")


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("right", "count", "bound"),
    [(5, 5, 0.6310), (10, 10, 0.7943), (9, 10, 0.6632), (19, 20, 0.8190), (45, 50, 0.8224),
     (48, 50, 0.8970), (95, 100, 0.9092), (3, 5, 0.2466), (0, 5, 0.0)],
)  # fmt: skip
def test_clopper_pearson(right, count, bound):
    found = lower_bound(t(right), t(count), prior=(0, 1))
    assert float(found) == pytest.approx(bound, abs=5e-5)


def test_all_right_has_a_closed_form():
    """delta^(1/n), and delta^(1/(n+1)) where nothing is known before."""
    for count in (1, 7, 22):
        found = lower_bound(t(count), t(count), prior=(0, 1), risk=0.1)
        assert float(found) == pytest.approx(0.1 ** (1 / count))
        assert float(lower_bound(t(count), t(count))) == pytest.approx(0.1 ** (1 / (count + 1)))


@pytest.mark.parametrize(
    ("right", "count", "prior", "bound"),
    [(5, 5, 1, 0.6813), (9, 10, 1, 0.6898), (0, 5, 1, 0.0174), (5, 5, 0.5, 0.7733)],
)
def test_bounds_with_a_prior(right, count, prior, bound):
    found = lower_bound(t(right), t(count), prior=(prior, prior))
    assert float(found) == pytest.approx(bound, abs=5e-5)


@pytest.mark.parametrize(
    ("right", "count", "mean", "bound"),
    [(0, 0, 0.800, 0.632), (1, 1, 0.818, 0.663), (2, 2, 0.833, 0.690), (0, 1, 0.727, 0.550),
     (0, 2, 0.667, 0.489), (5, 5, 0.867, 0.749), (3, 5, 0.733, 0.583), (45, 50, 0.883, 0.828)],
)  # fmt: skip
def test_a_class_between_its_own_labels_and_the_others(right, count, mean, bound):
    """Ten labels of a precision of 0.8 as the prior."""
    prior = (8.0, 2.0)
    assert (prior[0] + right) / (10 + count) == pytest.approx(mean, abs=5e-4)
    assert float(lower_bound(t(right), t(count), prior=prior)) == pytest.approx(bound, abs=1e-3)


def test_the_smallest_numbers_that_certify():
    """With 0, 1, 2, 3 errors: 22, 38, 52, 65 for 0.9, and 11, 18, 25, 32 for 0.8."""
    for target, needed in ((0.9, (22, 38, 52, 65)), (0.8, (11, 18, 25, 32))):
        for errors, count in enumerate(needed):
            at, below = (
                float(lower_bound(t(n - errors), t(n), prior=(0, 1))) for n in (count, count - 1)
            )
            assert below < target <= at + 1e-9, (target, errors)


def test_labels_of_an_image_count_less_than_independent_ones():
    """200 boxes, 10 in an image: divided by 1 + 9 * 0.2 = 2.8."""
    right, count = effective(t(180), t(200), t(20))
    assert float(count) == pytest.approx(200 / 2.8) and float(right) == pytest.approx(180 / 2.8)
    assert float(lower_bound(t(180), t(200), prior=(0, 1))) == pytest.approx(0.867, abs=1e-3)
    assert float(lower_bound(right, count, prior=(0, 1))) == pytest.approx(0.838, abs=1e-3)
    # One box in an image, or none at all, is as it is.
    assert [float(n) for n in effective(t(3), t(4), t(4))] == [3, 4]
    assert [float(n) for n in effective(t(0), t(0), t(0))] == [0, 0]


def test_two_classes_that_differ():
    """9 of 10 and 5 of 10: MSB 0.8, MSW 0.18889, r 0.24444, m 3.0909."""
    right, count = t(9, 5), t(10, 10)
    assert prior_strength(right, count) == pytest.approx(3.0909, abs=1e-4)
    prior = (3.0909 * 0.7, 3.0909 * 0.3)
    means = [(prior[0] + k) / 13.0909 for k in (9, 5)]
    assert means == pytest.approx([0.85278, 0.54722], abs=1e-4)
    bounds = lower_bound(right, count, prior=prior)
    assert bounds.tolist() == pytest.approx([0.7219, 0.3716], abs=1e-4)


def test_the_strength_of_the_prior():
    assert prior_strength(t(9, 9), t(10, 10)) == 50, "classes that are alike"
    assert prior_strength(t(20, 0), t(20, 20)) == 2, "classes that have nothing in common"
    assert prior_strength(t(9), t(10)) == 10, "one class"
    assert prior_strength(t(2, 1, 0), t(3, 2, 0)) == 10, "5 labels of 2 classes tell nothing"
    assert prior_strength(t(10, 10), t(10, 10)) == 50, "nothing is wrong"


def test_the_prior_is_the_precision_of_the_other_classes():
    assert precision_of_others(t(9, 5, 0), t(10, 10, 0)).tolist() == [0.5, 0.9, 0.7]
    assert precision_of_others(t(3), t(4)).tolist() == [0.75]
    assert precision_of_others(t(0, 0), t(0, 0)).tolist() == [0.5, 0.5]
    # Nothing is certain: of 8 right labels one half of a ninth and a tenth may be wrong.
    assert precision_of_others(t(0, 8), t(2, 8)).tolist() == pytest.approx([0.9, 0.25])


def test_a_class_without_labels_is_judged_more_strictly():
    """Of the others 0.916 must be right so that it passes 0.8 (a prior of 10 labels)."""
    for precision, passes in ((0.915, False), (0.917, True)):
        prior = (10 * precision, 10 * (1 - precision))
        assert (float(lower_bound(t(0), t(0), prior=prior)) >= 0.8) == passes
    mean, bound, strength = pooled_precision(t(19, 0)[:, None], t(20, 0)[:, None])
    assert strength.tolist() == [10]
    assert mean[:, 0].tolist() == pytest.approx([(9.5 + 19) / 30, 0.95])
    assert bound[1, 0] < bound[0, 0] < 0.95


def test_a_rare_class_does_not_decide_about_a_frequent_one():
    """14 of 14.5 labels are right, and the other class has 3: their prior is worth 3, not 50."""
    right, count = t(14, 3)[:, None], t(14.5, 3)[:, None]
    assert prior_strength(right[:, 0], count[:, 0]) == 50
    mean, bound, _ = pooled_precision(right, count)
    assert mean[0, 0] == pytest.approx((3 * 0.8 + 14) / 17.5)
    assert bound[0, 0] > 0.8
    # The other way round 14.5 labels make a prior of 14.5: Beta(13.6 ..., 0.88), and 3 of 3.
    share = 1 - 1 / 16.5  # 14 of 14.5 is further from 1 than that: 0.9655 > 0.9394
    assert mean[1, 0] == pytest.approx((14.5 * share + 3) / 17.5)


def test_the_grid_gives_rare_classes_their_points():
    scores = torch.cat([torch.linspace(0.8, 0.9, 90), torch.linspace(0.1, 0.2, 10)])
    labels = torch.tensor([0] * 90 + [1] * 10)
    grid = score_grid(scores, labels, 10)
    assert len(grid) == 10 and (grid < 0.5).sum() == 5
    assert torch.equal(grid, grid.sort().values) and grid[0] == pytest.approx(0.1)
    assert len(score_grid(torch.full((5,), 0.5), torch.zeros(5, dtype=torch.long))) == 1
    assert len(score_grid(torch.zeros(0), torch.zeros(0, dtype=torch.long))) == 0


def test_weak_boxes_take_no_points_of_the_grid():
    """Of 8 objects the best 16 of 100 boxes, and of a class without any the best 5."""
    scores = torch.linspace(0.99, 0.0, 100)
    labels = torch.zeros(100, dtype=torch.long)
    grid = score_grid(scores, labels, truths=torch.tensor([8]))
    assert len(grid) == 16 and grid[0] == pytest.approx(0.84)
    few = score_grid(scores, labels, truths=torch.tensor([0]))
    assert len(few) == 5 and few[0] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("means", "expected"),
    [((0.6, 0.82, 0.84, 0.9), 0.5),
     # A dip of less than 0.05 above it is noise, and a deeper one is not.
     ((0.81, 0.76, 0.84, 0.9), 0.3), ((0.81, 0.74, 0.84, 0.9), 0.7),
     ((0.6, 0.7, 0.7, 0.7), INF)],
)  # fmt: skip
def test_the_lowest_threshold_that_reaches_the_target(means, expected):
    grid, many = torch.tensor([0.3, 0.5, 0.7, 0.9]), torch.full((1, 4), 20.0)
    values = torch.tensor([means])
    assert choose(values, values, many, grid, 0.8).item() == pytest.approx(expected)


def test_few_labels_at_strict_thresholds_block_nothing():
    grid, few = torch.tensor([0.3, 0.5, 0.7, 0.9]), torch.tensor([[20.0, 20.0, 4.0, 1.0]])
    values = torch.tensor([[0.6, 0.82, 0.6, 0.3]])
    assert choose(values, values, few, grid, 0.8).item() == 0.5
    # Nor does a bound that few labels cannot lift, while their mean is good.
    bounds, means = torch.tensor([[0.7, 0.81, 0.6, 0.5]]), torch.tensor([[0.8, 0.9, 0.9, 0.9]])
    assert choose(bounds, means, torch.full((1, 4), 6.0), grid, 0.8).item() == 0.5
    none = torch.zeros(2, 0)
    assert choose(none, none, none, torch.zeros(0), 0.8).tolist() == [INF, INF]


def test_thresholds_move_slowly_and_infinity_at_once():
    before, now = torch.tensor([0.5, 0.5, 0.5, INF]), torch.tensor([0.6, 0.9, INF, 0.4])
    assert moved(before, now).tolist() == pytest.approx([0.55, 0.6, INF, 0.4])
    assert moved(None, now) is now


def test_average_precision():
    """Right, wrong, right of two objects: precisions 1 and 2/3 at recalls 1/2 and 1."""
    scores, right = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([True, False, True])
    assert average_precision(scores, right, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(scores, right, 4) == pytest.approx((1 + 2 / 3) / 4)
    # The first one is wrong: 1/2, then 2/3 at full recall, which counts for both.
    assert average_precision(scores, ~right | torch.tensor([0, 0, 1]).bool(), 2) == pytest.approx(
        2 / 3
    )
    labels = torch.tensor([0, 0, 1])
    assert mean_average_precision(scores, labels, right, torch.tensor([1, 1, 0])) == 1.0
    assert mean_average_precision(scores, labels, right, torch.tensor([1, 2, 0])) == 0.75
    assert mean_average_precision(scores, labels, right, torch.zeros(3)) == 0.0
    with pytest.raises(ValueError, match="truths is not above 0"):
        average_precision(scores, right, 0)
