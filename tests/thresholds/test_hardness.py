"""How easy an image is, by hand."""

import pytest
import torch

from ssdet.thresholds.hardness import ease, weighted_iou

TEACHER = torch.tensor([0, 1, 1, 1, 0, 0, 2, 2])
STUDENT = torch.tensor([0, 1, 1, 1, 0, 2, 2, 2])


def image(row, times=1):
    return row.repeat(times).view(1, 1, -1)


def everything(labels):
    return torch.ones_like(labels, dtype=torch.bool)


def iou(one, other, background=None, valid=None):
    one, other = image(one), image(other)
    valid = everything(one) if valid is None else valid
    return weighted_iou(one, other, valid, 3, background).item()


def test_ious_weighted_by_the_second_map():
    """IoU 2/3, 1, 2/3; without class 0 they weigh 3 : 2 by the teacher, 3 : 3 by the student."""
    assert iou(STUDENT, TEACHER, 0) == pytest.approx(0.8667, abs=1e-4)
    assert iou(TEACHER, STUDENT, 0) == pytest.approx(0.8333, abs=1e-4)
    assert iou(STUDENT, TEACHER) == pytest.approx((3 * 2 / 3 + 3 + 2 * 2 / 3) / 8)


def test_pixels_that_are_not_valid_do_not_count():
    valid = torch.tensor([True] * 5 + [False] + [True] * 2).view(1, 1, -1)
    assert iou(STUDENT, TEACHER, 0, valid) == pytest.approx(1)
    assert iou(torch.where(TEACHER == 0, 255, TEACHER), TEACHER, 0) == pytest.approx(1)


def test_an_image_of_background_alone_has_the_share_that_agrees():
    """The authors give it 0."""
    nothing = torch.zeros(8, dtype=torch.long)
    assert iou(nothing, nothing, 0) == 1
    assert iou(TEACHER, nothing, 0) == pytest.approx(3 / 8)


def scores(share, count=40):
    sure = torch.arange(count) < round(share * count)
    return torch.where(sure, 0.9, 0.1).view(1, 1, -1)


def test_both_versions():
    """Sure shares .8 and .6: (.8667 * .8 + .8333 * .6) / 2 = .5967; by their sum: .8524."""
    teacher = image(TEACHER, 5), scores(0.8)
    student = image(STUDENT, 5), scores(0.6)
    given = dict(valid=everything(teacher[0]), classes=3, score=0.7, background=0)
    assert ease(teacher, student, **given).item() == pytest.approx(0.5967, abs=1e-4)
    found = ease(teacher, student, version="weighted", **given)
    assert found.item() == pytest.approx(0.8524, abs=1e-4)


def test_each_image_by_itself_and_nothing_valid():
    labels = torch.tensor([[[0, 1]], [[0, 1]], [[0, 1]]])
    others = torch.tensor([[[0, 1]], [[1, 0]], [[0, 1]]])
    valid = torch.tensor([[[True, True]], [[True, True]], [[False, False]]])
    sure = torch.ones_like(labels).float()
    found = ease((labels, sure), (others, sure), valid, classes=2, score=0.7)
    assert found.tolist() == [1, 0, 0]
