"""Soft objectness: which boxes are which, and what the priors of an uncertain one learn."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import PseudoLabelAssignerHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import PseudoBoxes
from ssdet.teacher_student.weights.boxes import with_box_weights

from ...families.detectors import initialized, sample, small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, total

BOXES = [(4, 4, 24, 24), (30, 4, 60, 30), (4, 30, 30, 60), (40, 40, 50, 50)]


class Says(StepHook):
    phase = Phase.LABEL

    def __init__(self, scores, objectness):
        self.scores, self.objectness = scores, objectness

    def after_teacher(self, step):
        for image in range(len(step.pseudo)):
            boxes = pseudo(BOXES[: len(self.scores)], list(self.scores))
            boxes.objectness = torch.tensor(self.objectness)
            step.pseudo[image] = boxes
        self.step = step


def pair(*hooks):
    torch.manual_seed(0)
    model = initialized(build_pair(small_config("yolox")))
    for hook in hooks:
        model.attach(hook)
    return model


def run(*hooks, unsup=1):
    torch.manual_seed(5)
    return losses(pair(*hooks), multi_branch(sup=0, unsup=unsup))


@pytest.mark.parametrize(
    ("settings", "located", "classified"),
    [
        (dict(), [1.0, 0.0, 1.0], [True, False, False]),
        (dict(box=False), [1.0, 0.0, 0.0], [True, False, False]),
        (dict(cls=True, sure=0.7), [1.0, 1.0, 1.0], [True, True, False]),
    ],
)
def test_reliable_uncertain_and_background(settings, located, classified):
    """Scores .6 (just enough), .5, .55, .09; .5 is an objectness of .7 times a class of .714."""
    says = Says((0.6, 0.5, 0.55, 0.09), (0.7, 0.7, 0.995, 0.3))
    found = run(says, PseudoLabelAssignerHook(**settings))
    (boxes,) = says.step.pseudo
    assert len(boxes) == 3 and len(says.step.dropped[0]["score"]) == 1
    assert boxes.soft_objectness.tolist() == pytest.approx([1.0, 0.7, 0.995])
    assert boxes.weight_box.tolist() == located and boxes.classified.tolist() == classified
    assert found["objectness/soft"] == 2 and torch.isfinite(total(found))


def head_and_predictions():
    torch.manual_seed(1)
    model = pair()
    head = model.student.bbox_head
    features = model.student.extract_feat(torch.randn(1, 3, 64, 64))
    return model.student, head, [list(one) for one in head(features)]


def learned(detector, head, predictions, **fields):
    """Losses of two boxes with these fields."""
    boxes = sample(BOXES[1:3], [0, 1], weight_cls=[1.0, 1.0], **fields)
    if "soft_objectness" in boxes.gt_instances:
        classified = boxes.gt_instances.soft_objectness == 1
        boxes.gt_instances = PseudoBoxes.of(boxes.gt_instances, classified=classified)
    (given,) = with_box_weights([boxes])
    return head.loss_by_feat(*predictions, [given.gt_instances], [given.metainfo])


def test_the_priors_of_an_uncertain_box_learn_its_objectness_alone():
    detector, head, predictions = head_and_predictions()
    targets = []
    build = head._get_targets_single

    def spy(*args):
        targets.append(build(*args))
        return targets[-1]

    head._get_targets_single = spy
    hard = learned(detector, head, predictions)
    soft = learned(detector, head, predictions, soft_objectness=[1.0, 0.7], weight_box=[1.0, 0.0])
    (mask, _, objects, *_, count), (again, _, softened, *_, fewer) = targets
    assert torch.equal(mask, again) and 0 < fewer < count
    values = softened[mask][:, 0]
    assert (values == 1).sum() == fewer and torch.allclose(values[values < 1], torch.tensor(0.7))
    assert (softened[~mask] == 0).all() and (objects[mask] == 1).all()
    # The objectness of all priors by hand, divided by the priors of reliable boxes.
    logits = torch.cat([one.permute(0, 2, 3, 1).reshape(-1, 1) for one in predictions[2]])
    each = F.binary_cross_entropy_with_logits(logits, softened, reduction="sum")
    assert soft["loss_obj"].item() == pytest.approx(each.item() / fewer, rel=1e-5)
    # The class and the box of the reliable one, as alone.
    assert soft["loss_cls"] < hard["loss_cls"] * count / fewer
    assert soft["loss_bbox"] < hard["loss_bbox"] * count / fewer


def test_uncertain_boxes_alone():
    detector, head, predictions = head_and_predictions()
    found = learned(detector, head, predictions, soft_objectness=[0.7, 0.2], weight_box=[0.0, 0.0])
    assert found["loss_cls"] == found["loss_bbox"] == 0 and found["loss_obj"] > 0


def test_a_certain_place_is_learned_without_any_reliable_box():
    """The losses are divided by 1 then, as they are beside a reliable box of one prior."""
    detector, head, predictions = head_and_predictions()
    fields = dict(soft_objectness=[0.995, 0.2], weight_box=[1.0, 0.0])
    alone = learned(detector, head, predictions, **fields)
    beside = learned(detector, head, predictions, **{**fields, "soft_objectness": [0.995, 1.0]})
    assert alone["loss_cls"] == 0 < alone["loss_bbox"] == beside["loss_bbox"]


@pytest.mark.parametrize("scores", [(), (0.9,), (0.3, 0.2)])
def test_a_step_of_any_boxes(scores):
    found = run(Says(scores, [0.9] * len(scores)), PseudoLabelAssignerHook(), unsup=2)
    assert torch.isfinite(total(found))


def test_others_are_refused():
    with pytest.raises(TypeError, match="PseudoLabelAssignerHook: a FCOS has no objectness"):
        build_pair(small_config("fcos")).attach(PseudoLabelAssignerHook())
    # A teacher of another kind: all of its boxes would be certain.
    names = list("abc")
    teacher = dict(model=small_config("retinanet"), classes=names, student_classes=names)
    with pytest.raises(TypeError, match="PseudoLabelAssignerHook: a RetinaNet has no objectness"):
        build_pair(small_config("yolox"), teacher=teacher).attach(PseudoLabelAssignerHook())
    with pytest.raises(ValueError, match=r"high=0\.3"):
        PseudoLabelAssignerHook(0.4, 0.3)
