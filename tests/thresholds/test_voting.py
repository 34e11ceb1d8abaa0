"""What several views say of one image, by hand."""

import pytest
import torch

from ssdet.thresholds import clusters, vote

# Two views of an object, an object of another class in its place, and one that a view saw twice.
BOXES = torch.tensor(
    [[0.0, 0, 10, 10], [0, 0, 10, 12], [0, 0, 10, 10], [50, 50, 60, 60], [50, 50, 60, 61]]
)
SCORES = torch.tensor([0.8, 0.4, 0.6, 0.2, 0.3])
LABELS = torch.tensor([0, 0, 1, 0, 0])
VIEWS = torch.tensor([0, 1, 0, 1, 1])


def test_the_surest_box_speaks_for_its_neighbors():
    assert clusters(BOXES, SCORES, LABELS, 0.6).tolist() == [0, 0, 2, 4, 4]
    assert clusters(BOXES, SCORES, LABELS, 0.85).tolist() == [0, 1, 2, 4, 4]  # IoU 10 / 12
    assert clusters(BOXES, SCORES, LABELS * 0, 0.6).tolist() == [0, 0, 0, 4, 4]
    flat = torch.tensor([[1.0, 1, 1, 9]])  # overlaps not even itself
    assert clusters(flat, SCORES[:1], LABELS[:1], 0.6).tolist() == [0]


def test_boxes_and_scores_of_the_votes():
    leaders, boxes, scores = vote(BOXES, SCORES, LABELS, VIEWS, 2, 0.6)
    assert leaders.tolist() == [0, 2, 4]
    # (0.8 * 10 + 0.4 * 12) / 1.2, and (0.2 * 60 + 0.3 * 61) / 0.5
    expected = [0, 0, 10, 32 / 3, 0, 0, 10, 10, 50, 50, 60, 60.6]
    assert boxes.flatten().tolist() == pytest.approx(expected)
    # Two views of two; one of two; the better look of one of two.
    assert scores.tolist() == pytest.approx([0.6, 0.3, 0.15])


def test_further_numbers_of_boxes_are_averaged_like_their_corners():
    numbered = torch.cat([BOXES, torch.tensor([[0.9], [0.3], [0.7], [1.0], [0.5]])], 1)
    _, means, _ = vote(numbered, SCORES, LABELS, VIEWS, 2, 0.6)
    # (0.8 * 0.9 + 0.4 * 0.3) / 1.2, and (0.2 * 1 + 0.3 * 0.5) / 0.5
    assert means[:, 4].tolist() == pytest.approx([0.7, 0.7, 0.7])
    assert torch.equal(means[:, :4], vote(BOXES, SCORES, LABELS, VIEWS, 2, 0.6)[1])


def test_nothing_was_seen():
    empty = vote(BOXES[:0], SCORES[:0], LABELS[:0], VIEWS[:0], 2, 0.6)
    assert [len(one) for one in empty] == [0, 0, 0]


def test_scores_of_zero_still_have_a_place():
    _, boxes, scores = vote(BOXES[:2], SCORES[:2] * 0, LABELS[:2], VIEWS[:2], 2, 0.6)
    assert boxes[0].tolist() == pytest.approx([0, 0, 10, 11]) and scores.tolist() == [0]
