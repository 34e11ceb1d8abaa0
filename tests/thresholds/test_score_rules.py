"""Queues, counts, quantiles, peaks and label distributions, by hand."""

import math

import pytest
import torch

from ssdet.thresholds import (
    certainty,
    class_peaks,
    count_threshold,
    expected_counts,
    mean_peak,
    moved_threshold,
    push_scores,
    quantile_thresholds,
    ranked_thresholds,
)

NAN = math.nan


def test_the_newest_scores_come_first():
    queue = push_scores(torch.zeros(2, 3), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 0]))
    assert queue.tolist() == [pytest.approx([0.1, 0.3, 0]), pytest.approx([0.2, 0, 0])]
    queue = push_scores(queue, torch.tensor([0.4, 0.5]), torch.tensor([0, 0]))
    assert queue.tolist() == [pytest.approx([0.4, 0.5, 0.1]), pytest.approx([0.2, 0, 0])]


def test_of_too_many_new_scores_the_first_enter():
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    queue = push_scores(torch.full((1, 3), 0.9), scores, torch.zeros(5, dtype=torch.long))
    assert queue.tolist() == [pytest.approx([0.1, 0.2, 0.3])]


def test_nothing_and_no_number_do_not_enter_a_queue():
    scores, labels = torch.tensor([NAN, 0.2, math.inf, 0.4]), torch.tensor([0, 255, 1, -1])
    assert torch.equal(push_scores(torch.zeros(2, 2), scores, labels), torch.zeros(2, 2))
    empty = push_scores(torch.ones(2, 2), torch.zeros(0), torch.zeros(0, dtype=torch.long))
    assert torch.equal(empty, torch.ones(2, 2))


@pytest.mark.parametrize(
    ("scores", "ratio", "kept"),
    [
        ([0.9, 0.1, 0.8, 0.3], 1.0, 3),  # sum 2.1, n = 2: the ranks 0, 1 and 2
        ([0.9, 0.8, 0.3, 0.1], 0.5, 2),  # 1.05 + 0.5: n = 1
        ([0.2, 0.1], 1.0, 1),  # n = 0: the best one
        ([0.9, 0.9, 0.9], 2.0, 3),  # n = 5, but there are three
    ],
)
def test_as_many_boxes_as_the_scores_promise(scores, ratio, kept):
    scores = torch.tensor(scores)
    assert int((scores > count_threshold(scores, ratio)).sum()) == kept


def test_an_image_without_scores_has_the_count_threshold_one():
    assert float(count_threshold(torch.zeros(0))) == 1.0


def test_quantiles_between_ranks():
    scores = torch.tensor([[0.4, 0.1, 0.2, 0.3, 0.0], [0.5, NAN, 0.0, 0.0, 0.0], [0.0] * 5])
    # Of 0.1 ... 0.4 the place of the share 0.5 is 1.5: 0.25; of a single score it is that score.
    limits = quantile_thresholds(scores, 0.5, default=0.7)
    assert limits.tolist() == pytest.approx([0.25, 0.5, 0.7])
    assert quantile_thresholds(scores, 0.5, default=0.7, min_scores=2).tolist() == pytest.approx(
        [0.25, 0.7, 0.7]
    )
    full = torch.rand(3, 50, generator=torch.Generator().manual_seed(0))
    for share in (0.0, 0.37, 0.8, 1.0):
        expected = full.quantile(share, dim=1)
        assert quantile_thresholds(full, share).tolist() == pytest.approx(expected.tolist())


def test_certainty_is_one_minus_the_entropy():
    probabilities = torch.tensor([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]]).T[None]
    assert certainty(probabilities)[0].tolist() == pytest.approx([1, 0, 0.5])


def test_the_mean_of_the_peaks_of_present_classes():
    scores = torch.tensor([0.6, 0.9, 0.5, 0.99, NAN])
    peaks = class_peaks(scores, torch.tensor([0, 0, 2, 255, 1]), 4)
    assert peaks.tolist() == pytest.approx([0.9, 0, 0.5, 0])
    assert float(mean_peak(peaks)) == pytest.approx(0.7)
    start = torch.tensor(0.85)
    assert float(moved_threshold(start, peaks, 0.999)) == pytest.approx(0.999 * 0.85 + 0.001 * 0.7)
    assert float(moved_threshold(start, torch.zeros(4), 0.999)) == pytest.approx(0.85)


def test_expected_counts():
    # 200 images with 1,000 labels (beta = 5), of which 900, 100 and 0: shares 0.9 and 0.1.
    counts = expected_counts(torch.tensor([900, 100, 0]), 200, 20)
    assert counts.tolist() == pytest.approx([90, 10, 0.1])


def test_thresholds_at_the_expected_ranks():
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.02, 0.95, 0.03])
    labels = torch.tensor([0] * 10 + [1, 2])
    shuffled = torch.randperm(12)
    counts = torch.tensor([5.0, 10.0, 1.0, 3.0])
    reliable, ignored = ranked_thresholds(scores[shuffled], labels[shuffled], counts)
    # Class 0: ranks 1 and 5, counted from 0. Class 1 has one score alone, class 2 one below the
    # floor, and class 3 none.
    assert reliable.tolist() == pytest.approx([0.8, 0.95, 0.05, 0.9])
    assert ignored.tolist() == pytest.approx([0.4, 0.95, 0.05, 0.9])
    assert int((scores[labels == 0] > reliable[0]).sum()) == 1
    assert int((scores[labels == 0] > ignored[0]).sum()) == 5


def test_thresholds_without_any_score():
    reliable, ignored = ranked_thresholds(
        torch.tensor([NAN, 0.5]), torch.tensor([0, 255]), torch.ones(2)
    )
    assert reliable.tolist() == ignored.tolist() == pytest.approx([0.9, 0.9])
