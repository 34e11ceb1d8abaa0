"""Two-means thresholds and levels by hand, and against trying out every split."""

import pytest
import torch

from ssdet.thresholds.two_means import DualThreshold, levels, truncate, two_means

POOL = torch.tensor([0.94, 0.30, 0.92, 0.34, 0.90, 0.32])


def test_centers_of_two_clusters():
    assert two_means(POOL) == pytest.approx((0.92, 0.32))


def test_the_split_is_the_best_of_all():
    # {0, 0.5 | 1, 1.1} has the squares 0.125 + 0.005 within, {0 | 0.5, 1, 1.1} has 0.2067.
    assert two_means(torch.tensor([1.1, 0.0, 0.5, 1.0])) == pytest.approx((1.05, 0.25))
    values = torch.rand(40, generator=torch.Generator().manual_seed(3)).sort().values

    def within(split):
        return sum(float((p - p.mean()).square().sum()) for p in (values[:split], values[split:]))

    best = min(range(1, 40), key=within)
    high, low = two_means(values)
    assert high == pytest.approx(float(values[best:].mean()), abs=1e-6)
    assert low == pytest.approx(float(values[:best].mean()), abs=1e-6)


@pytest.mark.parametrize("values", [[0.7], [0.7, 0.7, 0.7]])
def test_equal_values_give_equal_centers(values):
    assert two_means(torch.tensor(values)) == pytest.approx((0.7, 0.7))


@pytest.mark.parametrize(
    ("value", "expected"), [(0.926, 0.92), (9.1e-05, 0.0), (0.29, 0.29), (0.9299, 0.92), (1.0, 1.0)]
)
def test_truncated_and_not_rounded(value, expected):
    assert truncate(value) == expected


def test_fit_truncates_clips_and_falls_back():
    fit = DualThreshold(default=(0.9, 0.5))
    assert fit.fit(POOL) == (0.92, 0.32)
    assert fit.fit(POOL[:2]) == (0.9, 0.5)
    assert fit.fit(torch.tensor([0.1, float("nan"), 0.2])) == (0.9, 0.5)
    assert fit.fit(torch.tensor([])) == (0.9, 0.5)
    assert DualThreshold(clip=(0.4, 0.9)).fit(POOL) == (0.9, 0.4)
    assert DualThreshold(decimals=None).fit(POOL + 0.006) == pytest.approx((0.926, 0.326))


def test_momentum_mixes_with_the_pair_before():
    fit = DualThreshold(momentum=0.5)
    assert fit.fit(POOL, (0.8, 0.3)) == pytest.approx((0.86, 0.31))
    assert fit.fit(POOL) == (0.92, 0.32)


EMPTY = torch.tensor([])


@pytest.mark.parametrize(
    ("fallback", "spare"),
    [
        ("default", (0.99, 0.99)),
        # All values: 0.30, 0.32, 0.34 | 0.7, 0.7, 0.7, 0.9, 0.92, 0.94
        ("global_pool", (0.81, 0.32)),
        ("mean_of_classes", ((0.92 + 0.7) / 2, (0.32 + 0.7) / 2)),
    ],
)
def test_a_class_without_values(fallback, spare):
    pools = [POOL, EMPTY, torch.full((3,), 0.7)]
    table = DualThreshold().fit_classes(pools, fallback=fallback)
    expected = [(0.92, 0.32), spare, (0.7, 0.7)]
    assert torch.allclose(table, torch.tensor(expected), atol=1e-6)
    nothing = DualThreshold().fit_classes([EMPTY, EMPTY], fallback=fallback)
    assert torch.allclose(nothing, torch.tensor([[0.99, 0.99]] * 2))


def test_momentum_of_classes():
    before = torch.tensor([[0.8, 0.3], [0.5, 0.5]])
    table = DualThreshold(momentum=0.5).fit_classes([POOL, EMPTY], before)
    assert torch.allclose(table, torch.tensor([[0.86, 0.31], [0.99, 0.99]]))


def test_levels_are_a_conjunction():
    boxes = torch.tensor(
        [[0.95, 0.9, 0.9], [0.95, 0.9, 0.7], [0.6, 0.5, 0.65], [0.6, 0.3, 0.65], [0.9, 0.9, 0.9]]
    )
    high = [torch.tensor(value).expand(5) for value in (0.9, 0.8, 0.85)]
    low = [torch.tensor(value).expand(5) for value in (0.5, 0.4, 0.6)]
    # The last one is at the threshold and not above it.
    assert levels(boxes.unbind(1), high, low).tolist() == [2, 1, 1, 0, 1]
    assert levels([torch.tensor([float("nan")])], [torch.zeros(1)], [torch.zeros(1)]).tolist() == [
        0
    ]
