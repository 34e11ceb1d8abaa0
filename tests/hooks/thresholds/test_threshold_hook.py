"""The base of the thresholds: what becomes of labels above, between and below the limits."""

import pytest
import torch

from ssdet.hooks import ThresholdHook
from ssdet.hooks.thresholds.threshold_hook import Limits
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW
from ssdet.teacher_student.step import PixelLabels, Step

from ...helpers import pseudo

SCORES = [0.9, 0.6, 0.3, 0.6, 0.8]
LABELS = [0, 0, 0, 1, 1]


class Pair(ThresholdHook):
    """Class 0 is sure above 0.8 and unsure above 0.5; class 1 above 0.7 and 0.65."""

    def __init__(self, between, lower=True):
        self.uncertain_as, self.lower = between, lower

    def limits(self, classes, device):
        assert classes == 2
        lower = torch.tensor([0.5, 0.65], device=device)
        return Limits(torch.tensor([0.8, 0.7], device=device), lower if self.lower else None)


def run(hook, labels):
    step = Step(model=None, iteration=0, pseudo=labels, dropped=[{}])
    hook.after_teacher(step)
    return step


def boxes():
    found = pseudo([[0, 0, 9, 9]] * 5, SCORES, LABELS)
    found.weight_box = found.weight_box * 0.5
    return [found]


@pytest.mark.parametrize(
    ("between", "lower", "scores", "levels", "weights"),
    [
        ("ambiguous", True, [0.9, 0.6, 0.8], [HIGH, AMBIGUOUS, HIGH], [1, 0.6, 1]),
        ("ignore", True, [0.9, 0.6, 0.8], [HIGH, LOW, HIGH], [1, 1, 1]),
        ("drop", True, [0.9, 0.8], [HIGH, HIGH], [1, 1]),
        ("ambiguous", False, [0.9, 0.8], [HIGH, HIGH], [1, 1]),
    ],
)
def test_boxes_between_the_limits(between, lower, scores, levels, weights):
    step = run(Pair(between, lower), boxes())
    kept = step.pseudo[0]
    assert kept.scores.tolist() == pytest.approx(scores)
    assert kept.level.tolist() == levels
    assert kept.weight_cls.tolist() == pytest.approx(weights)
    assert kept.weight_box.tolist() == pytest.approx([w / 2 for w in weights])
    assert len(step.dropped[0]["score"]) == 5 - len(scores)


@pytest.mark.parametrize(
    ("between", "weights"),
    [("ambiguous", [1, 0.6, 0, 0, 0.5, 0]), ("ignore", [1, 0, 0, 0, 0.5, 0])],
)
def test_pixels_between_the_limits(between, weights):
    labels = torch.tensor([[[*LABELS, 255]]])
    scores = torch.tensor([[[*SCORES, 0.0]]])
    before = torch.tensor([[[1.0, 1, 1, 1, 0.5, 0]]])
    step = run(Pair(between), PixelLabels(labels, scores, before, labels != 255))
    assert step.pseudo.weights.flatten().tolist() == pytest.approx(weights)


def test_limits_are_logged_by_the_names_of_the_classes():
    hook = Pair("drop")
    hook.class_names = ("cat",)
    log = run(hook, boxes()).log
    limits = {k: float(v) for k, v in log.items() if k.startswith("threshold")}
    assert limits == pytest.approx(
        {"threshold/cat": 0.8, "threshold/1": 0.7}
        | {"threshold_low/cat": 0.5, "threshold_low/1": 0.65}
    )


def test_a_level_is_never_raised():
    found = boxes()
    found[0].level = torch.tensor([LOW, LOW, LOW, LOW, HIGH])
    kept = run(Pair("ambiguous"), found).pseudo[0]
    assert kept.level.tolist() == [LOW, LOW, HIGH]
