"""What the student knows already, and how it weighs what is left."""

import pytest
import torch

from ssdet.hooks import OpenSetHook, StepHook, TeacherGateHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import HIGH, LOW, PseudoBoxes

from ...helpers import build_pair, losses, multi_branch, total
from .test_prototype_label import Says
from .test_self_assignment import FLIP, pair

VIEW = "unsup_student"


def gated(hooks, bias=(0.0, 0.0, 0.0, 0.0), scores=(0.9, 0.4)):
    """Pseudo boxes of the classes 0 and 1; the student's classifier says its bias everywhere."""
    says = Says(scores=scores, labels=[0, 1])
    model = pair("faster_rcnn", says, *hooks)
    with torch.no_grad():
        head = model.student.roi_head.bbox_head
        for layer in (head.fc_cls, head.fc_reg):
            layer.weight.zero_()
            layer.bias.zero_()
        head.fc_cls.bias.copy_(torch.tensor(bias))
    found = losses(model, multi_branch(sup=1, unsup=1, homography=FLIP))
    assert torch.isfinite(total(found))
    (sample,) = says.step.targets[VIEW]
    return sample.gt_instances, says.step


def test_a_class_that_the_student_is_surer_of_is_not_learned():
    """The student says (.25, .7) for the two classes; the teacher .9 and .4."""
    bias = torch.tensor([0.25, 0.7, 0.02, 0.03]).log().tolist()
    boxes, step = gated([TeacherGateHook(cross=False)], bias)
    assert boxes.weight_cls.tolist() == [1, 0] and boxes.weight_box.tolist() == [1, 1]
    assert step.log["teacher_gate/open"] == 0.5


def test_boxes_whose_class_the_student_does_not_see_weigh_more():
    """It places both as they are (IoU 1, distance 0), so the classes weigh the same."""
    bias = torch.tensor([0.25, 0.7, 0.02, 0.03]).log().tolist()
    boxes, _ = gated([TeacherGateHook(gate=False, disagreement=2.0)], bias)
    assert boxes.weight_box.tolist() == pytest.approx([1 + 2 * 0.75, 1 + 2 * 0.3], rel=1e-3)
    assert boxes.weight_cls.tolist() == pytest.approx([1, 1], rel=1e-3)


def test_each_image_has_its_own_judgment():
    """The student says (.25, .7); the teacher .9 and .4, and in the second image .2 and .8."""

    class Differs(Says):
        def after_teacher(self, step):
            super().after_teacher(step)
            step.pseudo[1].scores = torch.tensor([0.2, 0.8])

    bias = torch.tensor([0.25, 0.7, 0.02, 0.03]).log()
    says = Differs(scores=(0.9, 0.4), labels=[0, 1])
    model = pair("faster_rcnn", says, TeacherGateHook(cross=False))
    with torch.no_grad():
        classifier = model.student.roi_head.bbox_head.fc_cls
        classifier.weight.zero_()
        classifier.bias.copy_(bias)
    losses(model, multi_branch(sup=1, unsup=2, homography=FLIP))
    found = [sample.gt_instances.weight_cls.tolist() for sample in says.step.targets[VIEW]]
    assert found == [[1, 0], [0, 1]]


class Late(StepHook):
    """A hook that is listed behind: it drops the first box, or pastes one."""

    def __init__(self, phase, drops):
        self.phase, self.drops = phase, drops

    def after_teacher(self, step):
        if self.drops:
            step.drop(0, torch.arange(len(step.pseudo[0])) == 0, "late")

    def before_student(self, step):
        if not self.drops:
            (sample,) = step.targets[VIEW]
            pasted = PseudoBoxes(bboxes=torch.tensor([[4.0, 4, 20, 20]]), labels=torch.tensor([2]))
            sample.gt_instances = PseudoBoxes.cat([sample.gt_instances, pasted])


@pytest.mark.parametrize(
    ("drops", "phase", "expected"),
    [(True, Phase.WEIGHT, [0]), (True, Phase.MEMORY, [0]), (False, Phase.MIX, [1, 0, 1])],
)
def test_a_box_keeps_its_own_judgment_whatever_others_drop_and_paste(drops, phase, expected):
    """The class of the second box is the one that the student is surer of."""
    bias = torch.tensor([0.25, 0.7, 0.02, 0.03]).log().tolist()
    boxes, _ = gated([TeacherGateHook(cross=False), Late(phase, drops)], bias)
    assert boxes.weight_cls.tolist() == expected


def test_without_boxes_and_with_other_detectors():
    says = Says([], ())
    found = losses(pair("faster_rcnn", says, TeacherGateHook()), multi_branch(sup=1, unsup=1))
    assert torch.isfinite(total(found))
    with pytest.raises(TypeError, match="TeacherGateHook: judges boxes"):
        build_pair().attach(TeacherGateHook())
    with pytest.raises(ValueError, match="it would do nothing"):
        TeacherGateHook(gate=False, cross=False)


def open_set(hook, bias, background=0.0):
    """The binary classifiers, and the teacher's one, say their bias everywhere."""
    says = Says(labels=[0, 1])
    head = dict(type="FeatureProjector", in_channels=32, hidden=8, channels=3)
    model = pair("faster_rcnn", says, hook, auxiliary=dict(open_set=head))
    with torch.no_grad():
        model.auxiliary.open_set.layers[-1].weight.zero_()
        model.auxiliary.open_set.layers[-1].bias.copy_(torch.tensor(bias))
        classifier = model.teacher.roi_head.bbox_head.fc_cls
        classifier.weight.zero_()
        classifier.bias.copy_(torch.tensor([0.0, 0.0, 0.0, background]))
    found = losses(model, multi_branch(sup=1, unsup=1))
    assert torch.isfinite(total(found))
    return says.step, found


@pytest.mark.parametrize("background", [0.0, 5.0])
@pytest.mark.parametrize(("bias", "level"), [(3.0, HIGH), (-3.0, LOW)])
def test_unknown_objects_are_ignored(bias, level, background):
    """pos = .95 for all classes: unknown with .05; and the other way round.

    How probable the background is does not matter.
    """
    step, found = open_set(OpenSetHook(), (bias,) * 3, background)
    assert step.pseudo[0].level.tolist() == [level] * 2
    assert found["open_set/unknown"] == (0 if level == HIGH else 2)
    regions = step.targets[VIEW][0].ignored_instances.bboxes
    assert len(regions) == (0 if level == HIGH else 2)


def test_the_binary_classifiers_learn_from_labeled_boxes():
    """One box of the class 0: -ln .5 and -ln .5, whichever other class."""
    step, found = open_set(OpenSetHook(weight=2.0, begin=100), (0.0,) * 3)
    expected = 2 * 2 * torch.tensor(2.0).log().item()
    assert found["sup_loss_open_set"].item() == pytest.approx(expected, rel=1e-5)
    assert step.pseudo[0].level.tolist() == [HIGH, HIGH]  # it has not begun
    model, loss = step.model, found["sup_loss_open_set"]
    loss.backward()
    student, judges = (
        [one.grad for one in part.parameters()] for part in (model.student, model.auxiliary)
    )
    assert all(one is None for one in student)  # it would cost the detector
    assert any(one.abs().sum() > 0 for one in judges)


def test_a_channel_for_each_class():
    with pytest.raises(ValueError, match="channels=3"):
        pair("faster_rcnn", OpenSetHook())
    with pytest.raises(TypeError, match="OpenSetHook: judges boxes"):
        build_pair().attach(OpenSetHook())
