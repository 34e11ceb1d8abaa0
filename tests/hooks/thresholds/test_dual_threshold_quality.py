"""Are high labels better than ambiguous ones, and these better than low ones?"""

import pytest
import torch

from ssdet.hooks import DualThresholdHook
from ssdet.hooks._parts.criteria import best_overlaps
from ssdet.hooks._parts.labeled_pass import LabeledPass
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW
from ssdet.teacher_student.step import Step

from ...helpers import build_pair
from ..fake_teacher import FakeTeacher

MIRRORED = dict(flip=True)


class Shown(LabeledPass):
    """Labeled images that are there already."""

    def __init__(self, views):
        self.shown = views

    def views(self, model, moment):
        return iter([self.shown])


def graded(seed=0, second=MIRRORED, **noise):
    """What the hook makes of 60 images: (right or not, level) of every label."""
    model = build_pair()
    teacher = FakeTeacher(model, seed=seed, **noise)
    names = ("confidence", "consistency") if second else ("confidence",)
    hook = DualThresholdHook(criteria=names, second_view=second, max_overlap=1.0, low_score=0.0)
    hook.on_attach(model)
    hook.images = Shown(teacher.views(40))
    weak = teacher.views(60, first=40)
    step = Step(model, 0, weak=weak, pseudo=model.label(weak), dropped=[{} for _ in range(60)])
    hook.after_teacher(step)
    right, level, weight = [], [], []
    for boxes, seen in zip(step.pseudo, weak.samples, strict=True):
        truth = seen.gt_instances
        overlap = best_overlaps(boxes.bboxes, boxes.labels, truth.bboxes, truth.labels)
        right.append(overlap >= 0.5)
        level.append(boxes.level)
        weight.append(boxes.weight_cls)
    return hook, torch.cat(right), torch.cat(level), torch.cat(weight)


def precision(right, chosen):
    return float(right[chosen].float().mean())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [dict(), dict(jitter=4.0), dict(flip=0.3, phantoms=6)])
@pytest.mark.parametrize("second", [MIRRORED, None])
def test_precision_falls_and_recall_rises_with_the_level(seed, noise, second):
    _, right, level, _ = graded(seed, second, **noise)
    share = [int((level == one).sum()) for one in (HIGH, AMBIGUOUS, LOW)]
    assert min(share) >= 5
    high, ambiguous, low = (precision(right, level == one) for one in (HIGH, AMBIGUOUS, LOW))
    assert high >= ambiguous >= low
    assert high > precision(right, level >= AMBIGUOUS) > precision(right, level >= LOW)


def test_agreement_of_two_views_makes_the_kept_labels_better():
    alone = [precision(r, v >= AMBIGUOUS) for _, r, v, _ in (graded(s, None) for s in range(3))]
    both = [precision(r, v >= AMBIGUOUS) for _, r, v, _ in (graded(s) for s in range(3))]
    assert all(b > a for a, b in zip(alone, both, strict=True))


def test_a_teacher_without_errors_is_believed():
    hook, right, level, weight = graded(drop=0.0, flip=0.0, jitter=0.0, phantoms=0)
    assert right.all() and (weight[level == HIGH] == 1).all()
    table = hook.table["confidence"]
    assert ((table[:, 0] > 0.85) & (table[:, 1] > 0.6) & (table[:, 1] < 0.85)).all()
