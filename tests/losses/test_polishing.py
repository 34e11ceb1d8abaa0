"""Context boxes, jitter, matching and decoding of the polishing networks, by hand."""

import math

import pytest
import torch

from ssdet.losses.polishing import (
    best_match,
    box_iou,
    classes_of,
    context_boxes,
    decode_boxes,
    giou_loss,
    jitter_boxes,
    polishing_losses,
)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def test_context_is_the_box_four_shifts_and_two_expansions():
    # Width 100, height 50: the fraction 0.06 moves by 6 and by 3.
    found = context_boxes(boxes([10, 20, 110, 70]))[0]
    assert found.tolist() == [
        pytest.approx(row)
        for row in (
            [10, 20, 110, 70],
            [4, 17, 104, 67],
            [16, 17, 116, 67],
            [4, 23, 104, 73],
            [16, 23, 116, 73],
            [4, 17, 116, 73],
            [-2, 14, 122, 76],
        )
    ]
    assert context_boxes(boxes()).shape == (0, 7, 4)


def test_jitter_has_the_spread_of_the_sides():
    generator = torch.Generator().manual_seed(0)
    found = jitter_boxes(boxes([0, 0, 100, 10]), 4000, 0.06, generator)
    assert len(found) == 4000  # 6 sigma away from turning inside out
    offsets = found - boxes([0, 0, 100, 10])
    assert offsets.std(0).tolist() == pytest.approx([6, 0.6, 6, 0.6], rel=0.05)
    assert offsets.mean(0).tolist() == pytest.approx([0, 0, 0, 0], abs=0.3)


def test_jitter_leaves_out_what_turned_inside_out():
    found = jitter_boxes(boxes([0, 0, 10, 10]), 2000, 1.0)
    assert 0 < len(found) < 2000
    assert ((found[:, 2:] - found[:, :2]) > 0).all()
    assert jitter_boxes(boxes(), 5, 0.1).shape == (0, 4)


def test_the_target_is_the_true_box_of_the_highest_iou():
    truth = boxes([0, 0, 10, 10], [8, 0, 18, 10])
    # Moved by 6 from the first: overlaps it 4 wide (40/160) and the second 8 wide (80/120).
    overlap, number = best_match(boxes([6, 0, 16, 10]), truth)
    assert number.tolist() == [1] and overlap.tolist() == pytest.approx([2 / 3])
    assert box_iou(truth, truth)[0, 1] == pytest.approx(20 / 180)


def test_classes_need_an_iou():
    truth, labels = boxes([0, 0, 10, 10]), torch.tensor([2])
    found = boxes([0, 0, 10, 7], [0, 0, 10, 6.9], [20, 20, 30, 30])
    assert classes_of(found, truth, labels, 5, 0.7).tolist() == [2, 5, 5]
    assert classes_of(found, boxes(), labels[:0], 5, 0.7).tolist() == [5, 5, 5]


def test_decoding_moves_scales_and_clips():
    found = decode_boxes(
        boxes([10, 10, 30, 20]), torch.tensor([[0.5, -1.0, math.log(2), 0.0]]), (100, 100)
    )
    # Center (20, 15) + (0.5 * 20, -1 * 10) = (30, 5); sides 40 and 10.
    assert found.tolist() == [pytest.approx([10, 0, 50, 10])]
    same = decode_boxes(boxes([10, 10, 30, 20]), torch.zeros(1, 4))
    assert same.tolist() == [[10, 10, 30, 20]]
    cut = decode_boxes(boxes([10, 10, 30, 20]), torch.zeros(1, 4), (15, 25))
    assert cut.tolist() == [[10, 10, 25, 15]]


def test_giou_loss():
    truth = boxes([0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2])
    found = boxes([0, 0, 2, 2], [1, 1, 3, 3], [4, 0, 6, 2])
    # Second: IoU 1/7, hull 9, union 7. Third: IoU 0, hull 12, union 8.
    expected = [0, 1 - 1 / 7 + 2 / 9, 1 + 4 / 12]
    assert giou_loss(found, truth).tolist() == pytest.approx(expected)


def test_losses_of_both_networks():
    deltas = torch.zeros(2, 4, requires_grad=True)
    logits = torch.zeros(4, 3, requires_grad=True)
    box, cls = polishing_losses(
        boxes([1, 1, 3, 3], [0, 0, 2, 2]),
        deltas,
        boxes([0, 0, 2, 2], [0, 0, 2, 2]),
        logits,
        torch.tensor([0, 1, 2, 2]),
    )
    assert box.item() == pytest.approx((1 - 1 / 7 + 2 / 9) / 2)
    assert cls.item() == pytest.approx(math.log(3))
    (box + cls).backward()
    # The first box must go left and up: its center is at 2 and belongs to 1.
    assert (deltas.grad[0, :2] > 0).all()


def test_losses_of_nothing_are_zero_with_a_graph():
    deltas = torch.zeros(0, 4, requires_grad=True)
    logits = torch.zeros(0, 3, requires_grad=True)
    box, cls = polishing_losses(boxes(), deltas, boxes(), logits, torch.zeros(0).long())
    assert box.item() == cls.item() == 0
    (box + cls).backward()
    assert deltas.grad is not None and logits.grad is not None
