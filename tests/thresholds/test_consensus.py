"""What two teachers agree on, by hand."""

import pytest
import torch

from ssdet.thresholds import confident_overlap, fuse_boxes, match_boxes


def mask(*members):
    found = torch.zeros(1, 6, dtype=torch.bool)
    found[0, list(members)] = True
    return found


def test_overlap_of_masks():
    a, b = mask(1, 2, 3), mask(2, 3, 4)
    same = torch.ones(1, 6, dtype=torch.bool)
    assert confident_overlap(a, b, same).item() == pytest.approx(0.5)
    assert confident_overlap(a, b, ~mask(3)).item() == pytest.approx(0.25)
    assert confident_overlap(mask(), mask(), same).item() == 1
    assert confident_overlap(a, mask(), same).item() == 0


FIRST = torch.tensor([[0.0, 0, 10, 10]])
SECOND = torch.tensor([[0.0, 0, 10, 8]])


def test_boxes_are_fused_by_their_scores():
    scores = torch.tensor([0.9]), torch.tensor([0.7])
    fused = fuse_boxes(FIRST, SECOND, scores)
    assert fused[0].tolist() == pytest.approx([0, 0, 10, 9.125])
    assert fuse_boxes(FIRST, SECOND, scores, "inter")[0].tolist() == [0, 0, 10, 8]


def test_pairs_need_overlap_and_one_label():
    zero, one = torch.tensor([0]), torch.tensor([1])
    assert len(match_boxes(FIRST, SECOND, (zero, zero), 0.8)[0]) == 1
    assert len(match_boxes(FIRST, SECOND, (zero, zero), 0.81)[0]) == 0
    assert len(match_boxes(FIRST, SECOND, (zero, one), 0.5)[0]) == 0
    assert len(match_boxes(FIRST, SECOND[:0], (zero, zero[:0]), 0.5)[0]) == 0


def test_the_best_assignment_is_not_the_greedy_one():
    # IoUs: a-x .9, a-y .8, b-x .7, b-y 0: greedy takes a-x and leaves b alone.
    first = torch.tensor([[0.0, 0, 100, 10], [0, 0, 63, 10]])
    second = torch.tensor([[0.0, 0, 90, 10], [20, 0, 100, 10]])
    labels = torch.zeros(2, dtype=torch.long)
    rows, columns = match_boxes(first, second, (labels, labels), 0.6)
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {0: 1, 1: 0}
