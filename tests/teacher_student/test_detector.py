"""Pseudo boxes between the views, and what the student's loss makes of them."""

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.hooks import StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW

from ..helpers import build_pair, losses, multi_branch, pseudo, total

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]


class Says(StepHook):
    """Replaces what the teacher said."""

    phase = Phase.LABEL

    def __init__(self, *boxes):
        self.boxes = boxes
        self.step = None

    def after_teacher(self, step):
        step.pseudo[:] = [boxes.clone() for boxes in self.boxes]

    def after_loss(self, step):
        self.step = step


def run(batch, *boxes, **settings):
    model, hook = build_pair(**settings), Says(*boxes)
    model.attach(hook)
    found = losses(model, batch)
    return hook.step.targets["unsup_student"], found, model


def test_flip_moves_boxes_by_the_recorded_homography():
    targets, _, _ = run(
        multi_branch(unsup=1, homography=FLIP), pseudo([[8, 4, 24, 40]], [0.9], [2])
    )
    assert targets[0].gt_instances.bboxes.tolist() == [[40, 4, 56, 40]]
    assert targets[0].gt_instances.labels.tolist() == [2]
    assert targets[0].gt_instances.scores.tolist() == pytest.approx([0.9])


def test_without_a_homography_boxes_stay():
    targets, _, _ = run(multi_branch(unsup=1), pseudo([[8, 4, 24, 40]], [0.9]))
    assert targets[0].gt_instances.bboxes.tolist() == [[8, 4, 24, 40]]


def test_boxes_are_clipped_and_slivers_go():
    shift = [[1, 0, 40], [0, 1, 0], [0, 0, 1]]
    boxes = pseudo([[0, 0, 30, 30], [30, 0, 50, 20], [16, 0, 26, 20]], [0.9, 0.9, 0.9])
    targets, _, _ = run(multi_branch(unsup=1, homography=shift), boxes)
    assert targets[0].gt_instances.bboxes.tolist() == [[40, 0, 64, 30], [56, 0, 64, 20]]
    targets, _, _ = run(multi_branch(unsup=1, homography=shift), boxes, min_visible=0.81)
    assert len(targets[0].gt_instances) == 0


def test_low_boxes_become_ignore_regions():
    boxes = pseudo([[8, 8, 40, 40], [0, 0, 20, 20], [30, 30, 60, 60]], [0.9, 0.5, 0.3])
    boxes.level = torch.tensor([HIGH, AMBIGUOUS, LOW])
    targets, found, _ = run(multi_branch(unsup=1), boxes)
    assert len(targets[0].gt_instances) == 2
    assert targets[0].ignored_instances.bboxes.tolist() == [[30, 30, 60, 60]]
    assert found["pseudo/kept"] == 2 and found["pseudo/ignored"] == 1
    assert found["pseudo/score"] == pytest.approx(0.7)


def test_weights_scale_the_gradient_of_the_boxes():
    batch = multi_branch(sup=0, unsup=1)
    grads = []
    for weight in (1.0, 0.3):
        torch.manual_seed(3)
        boxes = pseudo([[8, 8, 40, 40]], [0.9])
        boxes.weight_box *= weight
        _, found, model = run(batch, boxes)
        sum(found["unsup_loss_bbox"]).backward()
        grads.append(model.student.bbox_head.retina_reg.weight.grad)
    assert grads[0].abs().sum() > 0
    assert torch.allclose(grads[1], grads[0] * 0.3, rtol=1e-5)


def test_images_without_boxes_are_weak_background():
    batch = multi_branch(sup=0, unsup=2)
    boxes, nothing = pseudo([[8, 8, 40, 40]], [0.9]), pseudo([], [])
    found = []
    for weight in (1.0, 0.0):
        torch.manual_seed(3)
        found.append(total(run(batch, boxes, nothing, empty_weight=weight)[1]))
    torch.manual_seed(3)
    alone = {k: {b: v[:1] for b, v in batch[k].items()} for k in batch}
    assert found[1] < found[0]
    # Four anchors are positive; MMDetection's normalizer counts an image without any as one more.
    assert torch.allclose(found[1], total(run(alone, boxes)[1]) * 4 / 5, rtol=1e-4)


def test_numbers_of_the_teacher_that_are_not_finite_are_dropped():
    model = build_pair()
    with torch.no_grad():
        model.teacher.bbox_head.retina_reg.bias.fill_(float("nan"))
    found = losses(model, multi_branch())
    assert torch.isfinite(total(found)) and found["pseudo/empty_batch"] == 1


def test_step_drop_remembers_what_was_dropped():
    class Half(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            step.drop(0, torch.tensor([False, True, True]), "score")
            step.drop(0, torch.tensor([True]), "size")
            self.dropped = step.dropped[0]

    model, half = build_pair(), Half()
    model.attach(Says(pseudo([[0, 0, 9, 9]] * 3, [0.9, 0.8, 0.7])))
    model.attach(half)
    found = losses(model, multi_branch(unsup=1))
    assert isinstance(half.dropped["score"], InstanceData)
    assert half.dropped["score"].scores.tolist() == pytest.approx([0.8, 0.7])
    assert len(half.dropped["size"]) == 1 and found["pseudo/dropped_score"] == 2
