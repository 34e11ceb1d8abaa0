"""Uncertain boxes of RTMDet: their score is the target of their class, and nothing else is said."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import PseudoLabelAssignerHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.weights.boxes import with_box_weights

from ...families.detectors import initialized, sample, small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, total

BOXES = [(4, 4, 24, 24), (30, 4, 60, 30), (4, 30, 30, 60)]


class Says(StepHook):
    phase = Phase.LABEL

    def __init__(self, scores):
        self.scores = scores

    def after_teacher(self, step):
        for image in range(len(step.pseudo)):
            step.pseudo[image] = pseudo(BOXES[: len(self.scores)], list(self.scores))
        self.step = step


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return initialized(build_pair(small_config("rtmdet")))


def run(model, *hooks, unsup=1):
    model.hooks = []
    for hook in hooks:
        model.attach(hook)
    torch.manual_seed(5)
    return losses(model, multi_branch(sup=0, unsup=unsup))


def test_reliable_uncertain_and_background(model):
    says = Says((0.6, 0.5, 0.09))
    found = run(model, says, PseudoLabelAssignerHook())
    (boxes,) = says.step.pseudo
    assert boxes.scores.tolist() == pytest.approx([0.6, 0.5])
    assert boxes.classified.tolist() == [True, False] and boxes.weight_box.tolist() == [1.0, 0.0]
    assert found["class/soft"] == 1 and torch.isfinite(total(found))


@pytest.mark.parametrize("scores", [(), (0.9,), (0.3, 0.2)])
def test_a_step_of_any_boxes(model, scores):
    found = run(model, Says(scores), PseudoLabelAssignerHook(), unsup=2)
    assert torch.isfinite(total(found))
    assert set(scores) != {0.3, 0.2} or sum(found["unsup_loss_bbox"]) == 0


def learned(model, predictions, classified, weight_box, given=(1.0, 0.4)):
    """Losses of two boxes; and what the head was given for each level."""
    head = model.student.bbox_head
    boxes = sample(BOXES[:2], [0, 1], weight_cls=[1.0, 1.0], weight_box=weight_box, scores=given)
    if classified is not None:
        boxes.gt_instances.classified = torch.tensor(classified)
    (one,) = with_box_weights([boxes])
    seen, single = [], head.loss_by_feat_single

    def spy(*args):
        seen.append([args[2].clone(), args[5].clone()])
        return single(*args)

    head.loss_by_feat_single = spy
    try:
        found = head.loss_by_feat(*predictions, [one.gt_instances], [one.metainfo])
    finally:
        del head.loss_by_feat_single
    labels, metrics = (torch.cat(part, 1)[0] for part in zip(*seen, strict=True))
    return found, labels, metrics


@pytest.fixture(scope="module")
def predictions(model):
    torch.manual_seed(1)
    with torch.no_grad():
        scores, _ = model.student.bbox_head(model.student.extract_feat(torch.randn(1, 3, 64, 64)))
    # Boxes of about 24 pixels around each point, which overlap those to find.
    sides = [12 + torch.rand(1, 4, *one.shape[-2:]) for one in scores]
    return [[one.clone().requires_grad_() for one in part] for part in (scores, sides)]


def flat(maps):
    return torch.cat([one.permute(0, 2, 3, 1).flatten(0, 2) for one in maps])


def test_its_points_learn_the_score_of_the_class_and_nothing_else(model, predictions):
    found, labels, metrics = learned(model, predictions, [True, False], [1.0, 0.0])
    plain, same, before = learned(model, predictions, None, [1.0, 1.0])
    assert torch.equal(labels, same)
    unsure = labels == 1
    assert unsure.any() and torch.allclose(metrics[unsure], torch.tensor(0.4))
    assert torch.equal(metrics[~unsure], before[~unsure]) and (before[unsure] != 0.4).all()
    # The quality focal loss by hand, divided by the sum of the reliable overlaps.
    logits = flat(predictions[0])
    target = torch.zeros_like(logits)
    sure = labels == 0
    target[sure, 0], target[unsure, 1] = metrics[sure], metrics[unsure]
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    each = each * (logits.sigmoid() - target).abs() ** 2
    each[unsure, 0] = each[unsure, 2] = 0.0
    expected = each.sum() / metrics[sure].sum().clamp(min=1)
    assert sum(found["loss_cls"]).item() == pytest.approx(expected.item(), rel=1e-5)
    # Boxes of the reliable one alone.
    share = before[~unsure].sum().clamp(min=1) / before.sum().clamp(min=1)
    assert 0 < sum(found["loss_bbox"]) < sum(plain["loss_bbox"]) / share


def test_other_classes_get_no_gradient(model, predictions):
    found, labels, _ = learned(model, predictions, [True, False], [1.0, 0.0])
    gradients = flat(torch.autograd.grad(sum(found["loss_cls"]), predictions[0]))
    unsure = labels == 1
    assert gradients[unsure, 1].all() and not gradients[unsure][:, [0, 2]].any()
    assert gradients[~unsure].all()


def test_uncertain_boxes_alone_and_certain_places(model, predictions):
    alone, _, _ = learned(model, predictions, [False, False], [0.0, 0.0], (0.5, 0.4))
    assert sum(alone["loss_bbox"]) == 0 < sum(alone["loss_cls"])
    placed, _, _ = learned(model, predictions, [False, False], [1.0, 0.0], (0.995, 0.4))
    assert sum(placed["loss_bbox"]) > 0


def test_classified_boxes_change_nothing(model, predictions):
    """Bit for bit as without the field, also beside a sample that lacks it."""
    plain, *_ = learned(model, predictions, None, [1.0, 1.0])
    same, *_ = learned(model, predictions, [True, True], [1.0, 1.0])
    for name in plain:
        assert [x.item() for x in plain[name]] == [x.item() for x in same[name]], name
