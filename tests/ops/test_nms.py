import mmcv.ops
import numpy as np
import pytest
import torch

from ssdet.ops import nms as module
from tests.ops.cases import boxes as random_boxes

# Overlaps: 0-1 is 50 / 150 = 1/3, 0-2 is 50 / 100 = 1/2, 1-2 is 0, 3 is far away.
BOXES = torch.tensor(
    [[0.0, 0, 10, 10], [0, 5, 10, 15], [0, 0, 10, 5], [100, 100, 110, 110]], dtype=torch.float32
)
SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6])


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0.3, [0, 3]), (0.4, [0, 1, 3]), (0.5, [0, 1, 2, 3])]
)
def test_by_hand(threshold, kept):
    # An overlap that is equal to the threshold does not suppress.
    dets, index = mmcv.ops.nms(BOXES, SCORES, threshold)
    assert index.tolist() == kept
    assert torch.equal(dets, torch.cat([BOXES, SCORES[:, None]], 1)[kept])


def test_offset_by_hand():
    # With sides x2 - x1 + 1 the overlap of 0 and 1 is 11 * 6 / (121 + 121 - 66) = 0.375.
    assert mmcv.ops.nms(BOXES[:2], SCORES[:2], 0.35, 0)[1].tolist() == [0, 1]
    assert mmcv.ops.nms(BOXES[:2], SCORES[:2], 0.35, 1)[1].tolist() == [0]


def test_numpy_in_numpy_out():
    dets, index = mmcv.ops.nms(BOXES.numpy(), SCORES.numpy(), 0.3)
    assert isinstance(dets, np.ndarray)
    assert index.tolist() == [0, 3]


def test_a_chain_longer_than_a_block():
    # Each box overlaps its neighbors only: every second one is kept, whatever the block size.
    count = 700
    left = torch.arange(count) * 5.0
    chain = torch.stack([left, torch.zeros(count), left + 10, torch.ones(count)], 1)
    index = mmcv.ops.nms(chain, torch.linspace(1, 0, count), 0.2)[1]
    assert index.tolist() == list(range(0, count, 2))


def _one_by_one(boxes, scores, threshold):
    kept = []
    for i in scores.argsort(descending=True).tolist():
        others = boxes[kept].view(-1, 4)
        overlap = mmcv.ops.bbox_overlaps(boxes[i][None], others) if kept else torch.zeros(1, 1)
        if not (overlap > threshold).any():
            kept.append(i)
    return kept


@pytest.mark.parametrize("count", [1, 127, 128, 129, 400])
@pytest.mark.parametrize("size", [40.0, 400.0])
def test_blocks_give_what_one_by_one_gives(count, size):
    draw = torch.Generator().manual_seed(count)
    boxes, scores = random_boxes(draw, count, size), torch.rand(count, generator=draw)
    index = mmcv.ops.nms(boxes, scores, 0.4)[1]
    assert index.tolist() == _one_by_one(boxes, scores, 0.4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype):
    dets, index = mmcv.ops.nms(BOXES.to(dtype), SCORES.to(dtype), 0.3)
    assert index.tolist() == [0, 3]
    assert dets.dtype == dtype


def test_boxes_without_area_stay():
    point = torch.zeros(3, 4)
    assert mmcv.ops.nms(point, SCORES[:3], 0.5)[1].tolist() == [0, 1, 2]


def test_batched_keeps_classes_apart():
    classes = torch.tensor([0, 1, 0, 0])
    config = {"type": "nms", "iou_threshold": 0.3}
    assert mmcv.ops.batched_nms(BOXES, SCORES, classes, config)[1].tolist() == [0, 1, 3]
    assert mmcv.ops.batched_nms(BOXES, SCORES, classes, config, True)[1].tolist() == [0, 3]


@pytest.mark.parametrize(
    ("method", "scores"),
    [
        ("naive", [0.9, 0.6]),
        ("linear", [0.9, 0.6, 0.8 * 2 / 3, 0.7 / 2]),
        ("gaussian", [0.9, 0.8 * np.exp(-2 / 9), 0.6, 0.7 * np.exp(-1 / 2)]),
    ],
)
def test_soft_by_hand(method, scores):
    dets, index = mmcv.ops.soft_nms(BOXES, SCORES, 0.3, 0.5, 0.01, method)
    assert dets[:, 4].tolist() == pytest.approx(scores, rel=1e-6)
    assert torch.equal(dets[:, :4], BOXES[index])


def test_soft_drops_from_the_end():
    # After the first box the others have 0.533, 0.35 and 0.6: only the last two places remain.
    dets, index = mmcv.ops.soft_nms(BOXES, SCORES, 0.3, 0.5, 0.5, "linear")
    assert index.tolist() == [0, 3, 1]
    assert dets[:, 4].tolist() == pytest.approx([0.9, 0.6, 0.8 * 2 / 3])


def test_soft_takes_nan_for_no_maximum():
    assert module._argmax(np.array([0.1, np.nan, 0.4])) == 2
    assert module._argmax(np.array([np.nan, 0.9])) == 0


def test_match_by_hand():
    dets = torch.cat([BOXES, SCORES[:, None]], 1)
    # Here an overlap that is equal to the threshold does suppress.
    groups = mmcv.ops.nms_match(dets, 0.5)
    assert [group.tolist() for group in groups] == [[0, 2], [1], [3]]
    groups = mmcv.ops.nms_match(dets.numpy(), 0.3)
    assert [group.tolist() for group in groups] == [[0, 1, 2], [3]]


def test_overlaps_by_hand():
    assert mmcv.ops.bbox_overlaps(BOXES[:1], BOXES[1:]).tolist() == [
        pytest.approx([1 / 3, 1 / 2, 0])
    ]
    assert mmcv.ops.bbox_overlaps(BOXES[:1], BOXES[1:2], "iof").item() == pytest.approx(0.5)
    assert mmcv.ops.bbox_overlaps(BOXES[:1], BOXES[1:2], "iou", True, 1).tolist() == [0.375]
