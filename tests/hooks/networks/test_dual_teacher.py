"""What two teachers agree on, in the step."""

import copy
from unittest.mock import patch

import pytest
import torch

from ssdet.hooks import DualTeacherHook, TeacherEMAHook
from ssdet.hooks.networks.dual_teacher import HORIZON
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, losses, multi_branch, pseudo, sample, tiny_retinanet
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


def pixels(labels, scores):
    labels, scores = torch.tensor(labels)[:, None], torch.tensor(scores)[:, None]
    return PixelLabels(labels, scores, torch.ones_like(scores), labels != 255)


def agreed(hook, own, other, size=(64, 64)):
    """The step after both teachers have said these labels."""
    weak = Views(torch.zeros(1, 3, *size), [sample(size)])
    step = Step(None, 0, weak=weak, pseudo=own, dropped=[{}])
    with patch.object(hook, "label", return_value=other):
        hook.after_teacher(step)
    return step


A = pixels([[0, 1, 1, 1]], [[0.5, 0.9, 0.9, 0.9]])  # sure of the pixels 1, 2, 3
B = pixels([[0, 1, 1, 1]], [[0.9, 0.5, 0.8, 0.7]])  # sure of the pixels 0, 2, 3


def test_pixels_that_both_are_sure_of():
    own = copy.deepcopy(A)
    step = agreed(DualTeacherHook(agreement=0.5), own, B)
    assert own.weights.tolist() == [[[0, 0, 1, 1]]]
    assert torch.allclose(own.scores, torch.tensor([[[0.5, 0.5, 0.8, 0.7]]]))
    assert step.log["dual_teacher/agreement"] == 0.5 and step.log["dual_teacher/images_kept"] == 1


def test_an_image_with_little_agreement_teaches_nothing():
    own = copy.deepcopy(A)
    step = agreed(DualTeacherHook(agreement=0.6), own, B)
    assert own.weights.tolist() == [[[0, 0, 0, 0]]] and step.log["dual_teacher/images_kept"] == 0


def test_sure_pixels_of_other_labels_do_not_agree():
    own, other = copy.deepcopy(A), copy.deepcopy(B)
    other.labels[0, 0, 3] = 0
    agreed(DualTeacherHook(agreement=0.0), own, other)
    assert own.weights.tolist() == [[[0, 0, 1, 0]]]


ONE = pseudo([[0, 0, 10, 10], [30, 30, 40, 40]], [0.9, 0.7])
TWO = pseudo([[0, 0, 10, 8], [50, 50, 60, 60], [0, 0, 9, 9]], [0.7, 0.8, 0.3])


def boxes(hook, one=ONE, two=TWO):
    step = agreed(hook, [one.clone()], [two.clone()])
    return step.pseudo[0], step


def test_boxes_are_fused_and_those_of_one_teacher_are_ambiguous():
    found, step = boxes(DualTeacherHook(agreement=0.0))
    assert found.bboxes[0].tolist() == pytest.approx([0, 0, 10, 9.125])
    assert found.scores.tolist() == pytest.approx([0.7, 0.7, 0.8])
    assert found.level.tolist() == [HIGH, AMBIGUOUS, AMBIGUOUS]
    assert found.weight_cls.tolist() == pytest.approx([1, 0.35, 0.4])
    assert step.log["dual_teacher/pairs"] == 1
    assert step.log["dual_teacher/agreement"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("unmatched", "levels"), [("ignore", [HIGH, LOW, LOW]), ("drop", [HIGH])])
def test_other_ways_with_boxes_of_one_teacher(unmatched, levels):
    found, _ = boxes(DualTeacherHook(agreement=0.0, unmatched=unmatched, fusion="inter"))
    assert found.level.tolist() == levels
    assert found.bboxes[0].tolist() == [0, 0, 10, 8]


def test_an_image_of_little_agreement_is_a_region_to_ignore():
    found, _ = boxes(DualTeacherHook(agreement=0.5))
    assert found.bboxes.tolist() == [[0, 0, 64, 64]] and found.level.tolist() == [LOW]


@pytest.mark.parametrize(("score", "ignored"), [(0.04, 0), (0.06, 1)])
def test_an_image_without_sure_boxes_is_background_only_if_it_surely_is(score, ignored):
    found, step = boxes(DualTeacherHook(), pseudo([[0, 0, 9, 9]], [score]), pseudo([], []))
    assert len(found) == ignored
    # That both found nothing is no agreement, and no sign that they are one.
    assert "dual_teacher/agreement" not in step.log


def test_agreement_is_that_of_images_with_something_sure():
    hook = DualTeacherHook(agreement=0.0)
    labels, nothing = [0, 1, 1, 1], [0.1, 0.2, 0.3, 0.4]
    step = agreed(hook, pixels([labels], [nothing]), pixels([labels], [nothing]))
    assert "dual_teacher/agreement" not in step.log and hook.state_dict()["steps"] == 0
    own = pixels([labels, labels], [[0.5, 0.9, 0.9, 0.9], nothing])
    other = pixels([labels, labels], [[0.9, 0.5, 0.8, 0.7], nothing])
    step = agreed(hook, own, other)
    assert step.log["dual_teacher/agreement"] == 0.5
    assert hook.state_dict() == {"mean": 0.5, "steps": 1}


def test_masks_are_intersected():
    one, two = pseudo([[0, 0, 4, 4]], [0.9]), pseudo([[0, 0, 4, 4]], [0.9])
    one.masks, two.masks = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    one.masks[0, :4, :4] = True
    two.masks[0, :3, :4] = True
    found, _ = boxes(DualTeacherHook(iou=0.75), one, two)
    assert torch.equal(found.masks, two.masks)
    found, _ = boxes(DualTeacherHook(iou=0.76, agreement=0.0), one, two)
    assert len(found) == 0


def both(detection):
    torch.manual_seed(0)
    if detection:
        model = build_pair(auxiliary=dict(second=tiny_retinanet()), auxiliary_teachers=["second"])
    else:
        model = build_seg(auxiliary=dict(second=tiny_fcn()), auxiliary_teachers=["second"])
    model.attach(TeacherEMAHook(0.9))
    model.attach(DualTeacherHook(score=0.0, agreement=0.0, iou=0.1))
    return model, multi_branch() if detection else seg_batch()


@pytest.mark.parametrize("detection", [False, True])
def test_both_students_learn_and_no_teacher_does(detection):
    model, batch = both(detection)
    found = losses(model, batch)
    assert any(k.startswith("unsup_second_") for k in found)
    values = [v for k, v in found.items() if "loss" in k]
    sum(sum(v) if isinstance(v, list) else v for v in values).backward()
    for student, teacher in model.pairs.values():
        assert all(p.grad is not None and p.grad.isfinite().all() for p in student.parameters())
        assert all(p.grad is None for p in teacher.parameters())


def test_teachers_that_are_one_are_pointed_out_and_the_count_is_kept(capsys):
    hook = DualTeacherHook()
    for _ in range(HORIZON - 1):
        hook._watch_collapse(0.99)
    other = DualTeacherHook()
    other.load_state_dict(hook.state_dict())
    with patch("ssdet.hooks.networks.dual_teacher.print_log") as log:
        other._watch_collapse(0.99)
    assert "agree on 99.0%" in log.call_args.args[0]
    assert other.state_dict() == {"mean": pytest.approx(0.99), "steps": HORIZON}


def test_refusals():
    with pytest.raises(ValueError, match=r"auxiliary_teachers=\['second'\]"):
        build_seg(auxiliary=dict(second=tiny_fcn())).attach(DualTeacherHook())
    with pytest.raises(ValueError, match="no network 'second'"):
        build_pair().attach(DualTeacherHook())
    for setting in (dict(score=2), dict(fusion="mean"), dict(unmatched="keep")):
        with pytest.raises(ValueError, match=f"DualTeacherHook: {next(iter(setting))}="):
            DualTeacherHook(**setting)
