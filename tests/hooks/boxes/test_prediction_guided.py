"""Prediction-guided assignment: whose proposals, which of them, and all else as it was."""

import pytest
import torch

from ssdet.hooks import FixedThresholdHook, PredictionGuidedAssignHook, StepHook
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, total

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]


class Says(StepHook):
    """The teacher says these boxes, in each image; the step is kept."""

    phase = Phase.LABEL

    def __init__(self, *boxes):
        self.boxes = boxes

    def after_teacher(self, step):
        for image in range(len(step.pseudo)):
            step.pseudo[image] = pseudo(self.boxes, [0.9] * len(self.boxes))
        self.step = step


def pair(*hooks, family="faster_rcnn"):
    torch.manual_seed(0)
    cfg = small_config(family)
    stages = cfg.train_cfg.rcnn
    for stage in stages if isinstance(stages, list) else [stages]:
        stage.sampler.update(add_gt_as_proposals=False, num=100000)
    model = initialized(build_pair(cfg))
    for hook in hooks:
        model.attach(hook)
    return model


def run(model, **batch):
    torch.manual_seed(5)
    return losses(model, multi_branch(**{"sup": 1, "unsup": 2, "homography": FLIP, **batch}))


class Sampled(StepHook):
    """What the RoI head samples in each branch."""

    phase = Phase.OBSERVE

    def on_attach(self, model):
        self.found = []
        head = model.student.roi_head.bbox_head
        learn = head.loss_and_target

        def spy(cls_score, bbox_pred, rois, sampling_results, *args, **kwargs):
            self.found.append(sampling_results)
            return learn(cls_score, bbox_pred, rois, sampling_results, *args, **kwargs)

        head.loss_and_target = spy


def mirrored(boxes):
    return torch.stack([64 - boxes[:, 2], boxes[:, 1], 64 - boxes[:, 0], boxes[:, 3]], 1)


def test_the_student_learns_from_the_proposals_of_the_teacher():
    says, sampled = Says((4, 4, 40, 40)), Sampled()
    model = pair(says, PredictionGuidedAssignHook(bag_iou=0.0), sampled)
    found = run(model)
    assert torch.isfinite(total(found)) and len(sampled.found) == 2  # labeled, strong
    theirs = says.step.teacher_outputs["unsup_teacher"].proposals
    for own, result in zip(theirs, sampled.found[1], strict=True):
        taken = torch.cat([result.pos_priors, result.neg_priors])
        expected = mirrored(own.bboxes).clamp(0, 64)
        apart = (taken[:, None] - expected).abs().amax(-1).amin(1)
        assert len(taken) == len(own.bboxes) and apart.max() < 1e-4
        assert len(result.pos_priors) >= 1 and (result.pos_assigned_gt_inds == 0).all()
    assert type(model.student.roi_head.bbox_assigner).__name__ == "MaxIoUAssigner"


def test_proposals_that_the_strong_view_shows_with_probabilities_among_objects():
    """The strong view is the weak one, shifted by 40 pixels; a proposal has the same two bounds."""
    says, hook = Says((4, 4, 40, 40)), PredictionGuidedAssignHook()
    model = pair(says, hook)
    run(model, homography=[[1, 0, -40], [0, 1, 0], [0, 0, 1]])
    theirs = says.step.teacher_outputs["unsup_teacher"].proposals
    for own, found in zip(theirs, hook._proposals(says.step, "unsup_student"), strict=True):
        assert 0 < len(found) == int((own.bboxes[:, 2] > 40).sum()) < len(own.bboxes)
        assert found.chances.sum(1).tolist() == pytest.approx([1.0] * len(found), abs=1e-5)


def test_what_the_teacher_refines_well_is_an_object_wherever_it_lies():
    """The teacher's head is told to move every proposal onto the box: all are in the bag."""
    says, sampled = Says((4, 4, 40, 40)), Sampled()
    hook = PredictionGuidedAssignHook(bag_iou=0.9, topk=3)
    model = pair(says, hook, sampled)
    head = model.teacher.roi_head.bbox_head
    goal = torch.tensor([[4.0, 4.0, 40.0, 40.0]])
    head.regress_by_class = lambda priors, *_: goal.expand(len(priors), 4)
    run(model)
    for result in sampled.found[1]:
        assert len(result.pos_priors) == 3  # overlaps of 1, of which three are summed
    # Below the least overlap all are background.
    head.regress_by_class = lambda priors, *_: 0.5 * goal.expand(len(priors), 4)
    sampled.found.clear()
    run(model)
    assert all(len(result.pos_priors) == 0 for result in sampled.found[1])


def test_labeled_images_are_as_without_it():
    says = Says((4, 4, 40, 40))
    one, other = run(pair(says)), run(pair(says, PredictionGuidedAssignHook()))
    for name in one:
        if name.startswith("sup_") or "rpn" in name:
            assert torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])), name
    assert not torch.equal(one["unsup_loss_cls"], other["unsup_loss_cls"])


def test_sets_of_boxes_for_each_task():
    model = pair(FixedThresholdHook(0.0, cls=0.5, rpn=0.5), PredictionGuidedAssignHook())
    assert torch.isfinite(total(run(model)))


@pytest.mark.parametrize("family", ["faster_rcnn", "mask_rcnn"])
def test_no_box(family):
    class Nothing(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            step.pseudo[1] = step.pseudo[1][:0]

    batch = multi_branch(sup=0, unsup=2)
    found = losses(pair(Nothing(), PredictionGuidedAssignHook(), family=family), batch)
    assert torch.isfinite(total(found))


def test_others_are_refused():
    for family in ("retinanet", "cascade_rcnn"):
        with pytest.raises(TypeError, match="PredictionGuidedAssignHook: assigns"):
            build_pair(small_config(family)).attach(PredictionGuidedAssignHook())
    with pytest.raises(ValueError, match="alpha=2"):
        PredictionGuidedAssignHook(alpha=2)
