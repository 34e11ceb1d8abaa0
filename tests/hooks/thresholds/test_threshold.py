"""Fixed thresholds on boxes and pixels, by hand."""

import pytest
import torch

from ssdet.hooks import FixedThresholdHook
from ssdet.teacher_student.pseudo_boxes import HIGH, LOW
from ssdet.teacher_student.step import PixelLabels, Step

from ...helpers import pseudo


def filtered(hook, boxes):
    step = Step(model=None, iteration=0, pseudo=[boxes], dropped=[{}])
    hook.after_teacher(step)
    return step.pseudo[0], step


SCORES = [0.95, 0.9, 0.6, 0.3]


def boxes(labels=(0, 0, 1, 1)):
    return pseudo([[0, 0, 9, 9]] * 4, SCORES, list(labels))


def test_a_box_must_be_above():
    kept, step = filtered(FixedThresholdHook(0.9), boxes())
    assert kept.scores.tolist() == pytest.approx([0.95])
    assert len(step.dropped[0]["score"]) == 3 and step.log["pseudo/dropped_score"] == 3


@pytest.mark.parametrize("per_class", [[0.92, 0.5], {0: 0.92, 1: 0.5}])
def test_one_threshold_for_each_class(per_class):
    kept, _ = filtered(FixedThresholdHook(per_class), boxes())
    assert kept.scores.tolist() == pytest.approx([0.95, 0.6])


def test_class_without_a_threshold_in_the_dict_is_kept():
    kept, _ = filtered(FixedThresholdHook({0: 0.92}), boxes())
    assert kept.scores.tolist() == pytest.approx([0.95, 0.6, 0.3])


def test_a_list_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="has 1 thresholds, but the highest class is 1"):
        filtered(FixedThresholdHook([0.9]), boxes())


def test_unsure_boxes_become_ignore_regions():
    kept, _ = filtered(FixedThresholdHook(0.9, ignore=0.5), boxes())
    assert kept.scores.tolist() == pytest.approx([0.95, 0.9, 0.6])
    assert kept.level.tolist() == [HIGH, LOW, LOW]


def test_stricter_thresholds_for_one_task():
    kept, _ = filtered(FixedThresholdHook(0.5, rpn=0.55, cls=0.92, box=0.7), boxes())
    assert kept.in_rpn.tolist() == [True, True, True]
    assert kept.in_cls.tolist() == [True, False, False]
    assert kept.in_box.tolist() == [True, True, False]
    assert kept.weight_cls.tolist() == kept.weight_box.tolist() == [1, 1, 1]


def test_no_boxes_at_all():
    kept, _ = filtered(FixedThresholdHook(0.5, ignore=0.1, cls=0.9), pseudo([], []))
    assert len(kept) == 0


def test_pixels_at_the_threshold_are_kept_and_others_weigh_nothing():
    labels = torch.tensor([[[0, 1], [1, 255]]])
    scores = torch.tensor([[[0.95, 0.949], [1.0, 0.99]]])
    pixels = PixelLabels(labels, scores, torch.ones_like(scores), labels != 255)
    FixedThresholdHook(0.95).after_teacher(Step(model=None, iteration=0, pseudo=pixels))
    assert pixels.weights.tolist() == [[[1, 0], [1, 1]]]
    assert pixels.valid.tolist() == [[[True, True], [True, False]]]


def test_pixels_with_one_threshold_for_each_class():
    labels = torch.tensor([[[0, 1], [1, 0]]])
    scores = torch.tensor([[[0.6, 0.6], [0.8, 0.4]]])
    pixels = PixelLabels(labels, scores, torch.ones_like(scores), labels >= 0)
    FixedThresholdHook([0.5, 0.7]).after_teacher(Step(model=None, iteration=0, pseudo=pixels))
    assert pixels.weights.tolist() == [[[1, 0], [1, 0]]]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(score=1.3), r"FixedThresholdHook: score=1.3 is not in \[0, 1\]"),
        (dict(score=[0.5, -1]), "score=-1"),
        (dict(score={3: 7}), "score=7"),
        (dict(cls=1.3), r"FixedThresholdHook: cls=1.3 is not in \[0, 1\]"),
        (dict(score=0.7, cls=0.5), "cls=0.5 is below score=0.7, which drops these boxes"),
        (dict(score=[0.6, 0.7], rpn=0.5), r"rpn=0.5 is below score=\[0.6, 0.7\]"),
        (dict(score=0.7, ignore=0.8), "ignore=0.8 is not below score=0.7"),
        (dict(score={1: 0.3}, ignore=0.3), "ignore=0.3 is not below"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        FixedThresholdHook(**settings)
