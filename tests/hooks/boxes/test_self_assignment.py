"""Self-assignment: which proposals learn softly, from what, and what the losses are divided by."""

import pytest
import torch

from ssdet.hooks import FixedThresholdHook, SelfAssignmentHook, StepHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS

from ...families.detectors import initialized, small_config
from ...helpers import losses, multi_branch, pseudo, total

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]
BOXES = [[2, 2, 34, 34], [30, 28, 62, 62]]


class Says(StepHook):
    """The teacher is sure of the first box and unsure of the second one; the step is kept."""

    phase = Phase.FILTER

    def __init__(self, scores=(0.9, 0.3)):
        self.scores = scores

    def after_teacher(self, step):
        for image in range(len(step.pseudo)):
            boxes = pseudo(BOXES[: len(self.scores)], list(self.scores))
            unsure = boxes.scores < 0.5
            boxes.level[unsure] = AMBIGUOUS
            boxes.weight_cls, boxes.weight_box = boxes.scores.clone(), boxes.scores.clone()
            step.pseudo[image] = boxes
        self.step = step


class Sees(StepHook):
    """Keeps what the heads are told about their proposals."""

    phase = Phase.OBSERVE

    def __init__(self, hook):
        self.told, judge = [], hook._judge

        def spy(step, branch, stage, results):
            found = judge(step, branch, stage, results)
            self.told.append((results, found))
            return found

        hook._judge = spy


def pair(family, *hooks, **settings):
    torch.manual_seed(0)
    cfg = small_config(family)
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=cfg, **settings))
    for hook in hooks:
        model.attach(hook)
    return initialized(model).train()


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
def test_uncertain_boxes_teach_probabilities_alone(family):
    hook, says = SelfAssignmentHook(mining=None), Says((0.9, 0.3))
    sees = Sees(hook)
    model = pair(family, says, hook, sees)
    torch.manual_seed(3)
    found = losses(model, multi_branch(sup=1, unsup=2, homography=FLIP))
    stages = 3 if family == "cascade_rcnn" else 1
    assert len(sees.told) == stages
    for results, told in sees.told:
        for result, one in zip(results, told, strict=True):
            owners = result.pos_assigned_gt_inds
            soft = torch.zeros(len(one.weight), dtype=torch.bool)
            soft[: len(owners)] = owners == 1
            assert soft.any() and torch.equal(one.weight == 0, soft)
            assert torch.equal(one.soft_weight > 0, soft)
            assert torch.allclose(one.soft[soft].sum(-1), torch.ones(int(soft.sum())), atol=1e-5)
            weights = result.weights.box
            assert (weights[owners == 1] == 0).all() and (weights[owners == 0] > 0).all()
    name = "unsup_s0.loss_cls_soft" if stages == 3 else "unsup_loss_cls_soft"
    assert found[name] > 0 and torch.isfinite(total(found))
    # For the RPN, both are objects of full weight; what the threshold was sure of keeps its own.
    target = says.step.targets["unsup_student"][0].gt_instances
    assert target.weight_cls.tolist() == pytest.approx([0.9, 1.0])


def test_the_loss_is_a_sum_over_the_meant_proposals():
    """Teacher logits (2, 0, ...) sharpened by .5 against a student that says nothing."""
    hook = SelfAssignmentHook(mining=None, temperature=0.5)
    sees = Sees(hook)
    model = pair("faster_rcnn", Says((0.3,)), hook, sees)
    with torch.no_grad():
        for network, bias in ((model.student, 0.0), (model.teacher, 2.0)):
            network.roi_head.bbox_head.fc_cls.weight.zero_()
            network.roi_head.bbox_head.fc_cls.bias.zero_()[0] = bias
    found = losses(model, multi_branch(sup=0, unsup=2))
    ((results, _),) = sees.told
    proposals = sum(len(result.pos_priors) for result in results)
    meant = 2 * model.student.roi_head.bbox_sampler.num
    uniform = torch.tensor(4.0).log().item()  # three classes and the background
    expected = proposals * uniform / meant
    assert found["unsup_loss_cls_soft"].item() == pytest.approx(expected, rel=1e-4)
    soft = sees.told[0][1][0].soft[0]
    sharp = torch.tensor([4.0, 0, 0, 0]).softmax(0)
    assert torch.allclose(soft, sharp, atol=1e-5)


@pytest.mark.parametrize("limits, hard", [((0.0, 0.0), True), ((0.0, 1.0), False)])
def test_a_reliable_box_is_learned_as_any_other(limits, hard):
    hook = SelfAssignmentHook(mining=limits)
    sees = Sees(hook)
    found = losses(pair("faster_rcnn", Says((0.3,)), hook, sees), multi_branch(sup=0, unsup=1))
    ((result,), (one,)) = sees.told[0]
    assert bool((one.weight == 1).all()) is hard
    assert bool((result.weights.box == 1).all()) is hard
    assert (found["unsup_loss_cls_soft"] == 0).item() is hard
    assert (found["self_assignment/mined_0"] > 0).item() is hard


@pytest.mark.parametrize("scores", [(), (0.9,)])
def test_without_an_uncertain_box_the_soft_loss_is_zero(scores):
    hook = SelfAssignmentHook()
    found = losses(pair("faster_rcnn", Says(scores), hook), multi_branch(sup=1, unsup=1))
    assert torch.isfinite(total(found))
    if scores:
        assert found["unsup_loss_cls_soft"].item() == 0


def test_other_detectors_are_refused():
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=small_config("gfl")))
    with pytest.raises(TypeError, match="scores proposals and works with two-stage"):
        model.attach(SelfAssignmentHook())
    cfg = small_config("faster_rcnn")
    cfg.roi_head.bbox_head.loss_cls = dict(type="FocalLoss", use_sigmoid=True)
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=cfg))
    with pytest.raises(TypeError, match="cannot learn probabilities of all classes"):
        model.attach(SelfAssignmentHook())


def test_a_threshold_without_uncertain_boxes_changes_nothing():
    batch = multi_branch(sup=1, unsup=2)
    found = []
    for hooks in ((), (SelfAssignmentHook(),)):
        model = pair("faster_rcnn", FixedThresholdHook(0.0), *hooks)
        torch.manual_seed(5)
        found.append(losses(model, batch))
    plain, other = ({k: sum(v) if isinstance(v, list) else v for k, v in f.items()} for f in found)
    for name, value in plain.items():
        assert torch.allclose(value, other[name], rtol=1e-4), name
