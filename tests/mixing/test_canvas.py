"""Images and boxes on a canvas, by hand."""

import pytest
import torch

from ssdet.mixing.canvas import CanvasBox, fit, mixup_places, mosaic_places, put, put_boxes


def test_fit_keeps_proportions():
    assert fit((50, 100), (200, 200)) == (100, 200)
    assert fit((50, 100), (20, 80)) == (20, 40)
    assert fit((1, 1000), (10, 10)) == (1, 10)
    assert fit((3, 3), (3, 3)) == (3, 3)


def test_put_adds_a_share_mirrored_and_in_place():
    canvas = torch.ones(1, 3, 4)
    put(canvas, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), CanvasBox(1, 1, 2, 2, True), share=0.5)
    assert canvas[0].tolist() == [[1, 1, 1, 1], [1, 2.0, 1.5, 1], [1, 3.0, 2.5, 1]]


def test_put_resizes():
    canvas = torch.zeros(1, 2, 2)
    put(canvas, torch.tensor([[[0.0, 4.0, 8.0, 12.0]] * 4]), CanvasBox(0, 0, 2, 2))
    # Made half as large, each pixel is a mean of its neighborhood: symmetric, rising.
    (left, right), (below, _) = canvas[0].tolist()
    assert left == below
    assert left + right == pytest.approx(12.0)
    assert 1 < left < 4
    labels = torch.zeros(1, 4, 4)
    put(labels, torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), CanvasBox(0, 0, 4, 4), mode="nearest")
    assert labels[0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_boxes_by_hand():
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    # An image of 100 x 200 (height x width), half as large, at (5, 7)
    assert put_boxes(boxes, (100, 200), CanvasBox(5, 7, 50, 100)).tolist() == [[10, 17, 20, 37]]
    # Mirrored: 170 to 190, halved: 85 to 95
    assert put_boxes(boxes, (100, 200), CanvasBox(5, 7, 50, 100, True)).tolist() == [
        [90, 17, 100, 37]
    ]
    assert put_boxes(boxes[:0], (100, 200), CanvasBox(5, 7, 50, 100)).shape == (0, 4)


def test_boxes_stay_on_their_object():
    image = torch.zeros(1, 40, 60)
    image[:, 10:20, 30:50] = 1
    place = CanvasBox(8, 4, 20, 30, True)
    canvas = torch.zeros(1, 50, 50)
    put(canvas, image, place, mode="nearest")
    x1, y1, x2, y2 = (
        put_boxes(torch.tensor([[30.0, 10, 50, 20]]), (40, 60), place)[0].int().tolist()
    )
    assert canvas[0, y1:y2, x1:x2].all()
    assert canvas.sum() == (x2 - x1) * (y2 - y1)


def test_mixup_places():
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(100):
        own, other, shape = mixup_places((40, 60), (100, 50), (64, 96), generator=generator)
        # The other one fits into 64 x 96 with 64 x 32; the canvas is the larger of both.
        assert shape == (64, 60)
        assert own[2:] == (40, 60, False)
        assert own.x == 0
        assert other[2:] == (64, 32, True)
        assert 0 <= own.y <= 24
        assert 0 <= other.x <= 28
        assert other.y == 0
        seen |= {("own", own.y), ("other", other.x)}
    assert {("own", 0), ("own", 24), ("other", 0), ("other", 28)} <= seen
    flips = [mixup_places((9, 9), (9, 9), (9, 9), flip=0.0)[1].flip for _ in range(20)]
    assert not any(flips)


def test_mosaic_places():
    shapes = [(100, 200), (200, 100), (50, 50), (30, 60)]
    places, shape = mosaic_places(shapes, (40, 60), flip=0.0)
    # In cells of 40 x 60: 30 x 60, 40 x 20, 40 x 40, 30 x 60; the middle is (60, 40).
    assert shape == (80, 120)
    assert [tuple(p) for p in places] == [
        (0, 10, 30, 60, False),
        (60, 0, 40, 20, False),
        (20, 40, 40, 40, False),
        (60, 40, 30, 60, False),
    ]
    assert all(p.flip for p in mosaic_places(shapes, (40, 60))[0])
    with pytest.raises(ValueError, match="4 images, not 3"):
        mosaic_places(shapes[:3], (40, 60))
