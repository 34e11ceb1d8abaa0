"""Pseudo labels against hidden ones, by hand."""

import numpy as np
import pytest
import torch

from ssdet.evaluation.pseudo_labels import PseudoLabelQuality, matched

SQUARE = [0.0, 0.0, 10.0, 10.0]


def boxes(*places):
    return torch.tensor(places).reshape(-1, 4)


def test_an_object_makes_one_box_right():
    found = boxes(SQUARE, [0.0, 0.0, 10.0, 8.0], [20.0, 0.0, 30.0, 10.0])
    right, overlap = matched(found, torch.tensor([0, 0, 0]), boxes(SQUARE), torch.tensor([0]))
    assert right.tolist() == [True, False, False]
    assert overlap == pytest.approx([1.0, 0.8, 0.0])


def test_a_box_takes_the_best_object_that_is_left():
    objects = boxes(SQUARE, [0.0, 0.0, 10.0, 9.0])
    found = boxes(SQUARE, SQUARE)
    right, _ = matched(found, torch.tensor([1, 1]), objects, torch.tensor([1, 1]))
    assert right.tolist() == [True, True]
    right, _ = matched(found, torch.tensor([1, 0]), objects, torch.tensor([1, 1]))
    assert right.tolist() == [True, False]


def test_half_of_the_area_is_enough_and_less_is_not():
    for height, expected in ((5.0, True), (4.9, False)):
        right, _ = matched(
            boxes([0.0, 0.0, 10.0, height]), torch.tensor([0]), boxes(SQUARE), torch.tensor([0])
        )
        assert right.tolist() == [expected]


def test_kept_and_dropped_pixels_of_two_classes():
    # Class 0: 4 of the truth; 3 kept, 2 of them right; 2 dropped, 1 right.
    labels = np.array([0, 0, 0, 0, 0, 1])
    right = np.array([1, 1, 0, 1, 0, 1], dtype=bool)
    kept = np.array([1, 1, 1, 0, 0, 1], dtype=bool)
    quality = PseudoLabelQuality(2)
    quality.add(np.array([0, 0, 0, 0, 1]), labels, np.linspace(0.1, 0.6, 6), right, kept)
    found = quality.summary("pixels")
    assert found["precision"] == [pytest.approx(2 / 3, abs=1e-4), 1.0]
    assert found["recall"] == [0.5, 1.0]
    assert found["iou"] == [pytest.approx(2 / 5), 1.0]
    assert found["dropped_precision"] == [0.5, None]
    assert found["dropped_recall"] == [0.25, 0.0]
    assert found["all"]["precision"] == 0.75 and found["all"]["recall"] == pytest.approx(0.6)


def test_the_score_at_which_there_are_as_many_labels_as_objects():
    quality = PseudoLabelQuality(1)
    scores = np.array([0.95, 0.855, 0.45, 0.25])
    right = np.array([1, 0, 1, 0], dtype=bool)
    quality.add(np.zeros(2, int), np.zeros(4, int), scores, right, scores > 0.5)
    assert quality.balanced_score() == pytest.approx(0.85)
    few = PseudoLabelQuality(1)
    few.add(np.zeros(9, int), np.zeros(4, int), scores, right, scores > 0.5)
    assert few.balanced_score() is None, "there are fewer labels than objects"


def test_two_processes_are_one():
    one, both = PseudoLabelQuality(1), PseudoLabelQuality(1)
    for score in (0.2, 0.8):
        right = np.array([score > 0.5])
        part = (np.zeros(2, int), np.zeros(1, int), np.array([score]), right, right)
        half = PseudoLabelQuality(1)
        half.add(*part)
        both.add(*part)
        one.merge(half.state_dict())
    assert one.summary("boxes") == both.summary("boxes")
